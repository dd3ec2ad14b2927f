/** A signal asked the process to end. */
export class StopRequest extends Error {
  override name = 'StopRequest';
  readonly signal: NodeJS.Signals;

  constructor(signal: NodeJS.Signals) {
    super(`stopped by ${signal}`);
    this.signal = signal;
  }
}

const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT'] as const;
const PARENT_CHECK_MS = 200;
/** Ctrl-C signals the whole process group, and npm passes the signal on to us once more. */
const SAME_REQUEST_MS = 500;

/**
 * The one place where signals and unhandled errors arrive. The first aborts the result, with the
 * reason why the process has to end; another one ends it at once. npm's shell, if it runs this
 * process, passes no signal on: its end is one.
 */
export function listenForStop(isUnderNpm: boolean): AbortSignal {
  const stop = new AbortController();
  let requestedAt = 0;
  for (const name of SIGNALS) {
    process.on(name, () => {
      if (stop.signal.aborted && performance.now() - requestedAt > SAME_REQUEST_MS) process.exit(1);
      if (stop.signal.aborted) return;
      requestedAt = performance.now();
      stop.abort(new StopRequest(name));
    });
  }
  if (isUnderNpm) onParentEnd(() => stop.abort(new StopRequest('SIGHUP')));
  // Unhandled rejections arrive here too.
  process.on('uncaughtException', (error) => {
    if (stop.signal.aborted) process.exit(1);
    stop.abort(error);
  });
  return stop.signal;
}

/** The outcome of the work, or the reason of a stop that comes earlier. The work is not ended by it. */
export async function untilStopped<T>(stop: AbortSignal, work: Promise<T>): Promise<T> {
  const { promise: stopped, reject } = Promise.withResolvers<never>();
  const onStop = () => reject(stop.reason);
  stop.addEventListener('abort', onStop);
  if (stop.aborted) onStop();
  return Promise.race([stopped, work]).finally(() => stop.removeEventListener('abort', onStop));
}

function onParentEnd(act: () => void): void {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    act();
  }, PARENT_CHECK_MS);
  timer.unref();
}
