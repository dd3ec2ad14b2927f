import { Arrivals } from './arrivals.ts';
import { type Answer, Connection } from './connection.ts';
import type { LoadOptions, Measured } from './measure.ts';
import { percentile } from './statistics.ts';

/** Sends the load from a separate process, so that its work is not part of what is measured. */
process.once('message', async (options: LoadOptions) => {
  process.send?.(await run(options));
  process.disconnect();
});
// The benchmark has ended before its result.
process.once('disconnect', () => process.exit());

/** Timers have whole milliseconds only, and answers must not wait for one. */
const LOOK_MS = 0.1;
const SLEEPER = new Int32Array(new SharedArrayBuffer(4));

async function run(options: LoadOptions): Promise<Measured> {
  const { url, path, authorization, bodies, perSecond } = options;
  const connections = Array.from({ length: options.connections }, () => new Connection(url));
  const [first] = connections;
  if (!first || bodies.length === 0) throw new Error('a load has connections and bodies');
  const requests = bodies.map((body) => first.prepare(path, authorization, body));
  const load = new Load(requests, options.seconds);
  await (perSecond === undefined
    ? load.sendAtOnce(connections)
    : load.sendPaced(connections, perSecond));
  for (const connection of connections) connection.close();
  return load.result();
}

class Load {
  readonly #requests: readonly Buffer[];
  readonly #seconds: number;
  readonly #started = performance.now();
  readonly #millis: number[] = [];
  #sent = 0;
  #valid = 0;
  #refused = 0;

  constructor(requests: readonly Buffer[], seconds: number) {
    this.#requests = requests;
    this.#seconds = seconds;
  }

  /** Each connection sends as soon as it has its answer. */
  async sendAtOnce(connections: readonly Connection[]): Promise<void> {
    const end = this.#started + this.#seconds * 1000;
    const sendRepeatedly = async (connection: Connection) => {
      while (performance.now() < end) await this.#send(connection, performance.now());
    };
    await Promise.all(connections.map(sendRepeatedly));
  }

  /** Requests are sent when they are due, over any connection that is free. */
  async sendPaced(connections: readonly Connection[], perSecond: number): Promise<void> {
    const { promise: ended, resolve, reject } = Promise.withResolvers<void>();
    const arrivals = new Arrivals(this.#started, perSecond, this.#seconds);
    const free = [...connections];
    const dispatch = () => {
      for (let connection = free[0]; connection; connection = free[0]) {
        const due = arrivals.take(performance.now());
        if (due === null) return;
        free.shift();
        const sender = connection;
        this.#send(sender, due).then(() => free.push(sender) && dispatch(), reject);
      }
    };
    const turn = () => {
      dispatch();
      if (arrivals.nextMs === Number.POSITIVE_INFINITY && free.length === connections.length) {
        return resolve();
      }
      const left = arrivals.nextMs - performance.now();
      Atomics.wait(SLEEPER, 0, 0, left > 0 ? Math.min(left, LOOK_MS) : LOOK_MS);
      setImmediate(turn);
    };
    turn();
    await ended;
  }

  async #send(connection: Connection, begunMs: number): Promise<void> {
    const request = this.#requests[this.#sent++ % this.#requests.length];
    if (request) this.#record(await connection.send(request), begunMs);
  }

  #record({ status, body }: Answer, begunMs: number): void {
    this.#millis.push(performance.now() - begunMs);
    if (status !== 200) this.#refused++;
    else if (body.startsWith('{"valid":true')) this.#valid++;
  }

  result(): Measured {
    const elapsedSeconds = (performance.now() - this.#started) / 1000;
    const sorted = Float64Array.from(this.#millis).sort();
    const millis = Array.from(sorted);
    return {
      requests: millis.length,
      requestsPerSecond: millis.length / elapsedSeconds,
      p50Ms: percentile(millis, 0.5),
      p99Ms: percentile(millis, 0.99),
      p999Ms: percentile(millis, 0.999),
      valid: this.#valid,
      refused: this.#refused,
    };
  }
}
