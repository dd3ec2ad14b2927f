import { hash, randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { Harness } from './faults.ts';
import { type Instance, ROOT_KEY } from './instance.ts';

/**
 * Neighbours that attack the service beside the workload, in workspaces of their own. Their calls
 * are not part of the history: what they must not change is what the others are answered. Bounded
 * in number and pace, so that the load stays one that a checker can follow.
 */
export const REQUEST_ID_PREFIX = 'attack-';
export const WORKSPACE_PREFIX = 'mallory-';
const STALLED_SOCKETS = 60;
const OVERSIZE_BYTES = 500_000;
const IMPORTED = 100;
/** Below the time within which a stop of the service has to be clean. */
const STALLED_MS = 3000;

type Attacker = (instance: Instance) => Promise<unknown>;

let calls = 0;

/** Runs every attacker until the signal; each pauses with the clients. */
export async function runAttackers(
  { context, instances, recorder }: Pick<Harness, 'context' | 'instances' | 'recorder'>,
  stop: AbortSignal,
): Promise<void> {
  await Promise.all(
    ATTACKERS.map(async ([attack, pauseMs]) => {
      const random = context.random.fork();
      while (!stop.aborted) {
        const instance = random.pick(instances);
        // An instance that is down, frozen or cut off answers attackers neither.
        await context.world.step(() => attack(instance).catch(() => {}));
        recorder.attacks++;
        await delay(random.next() * 2 * pauseMs);
      }
    }),
  );
}

function call(instance: Instance, method: string, path: string, body?: object) {
  const requestId = `${REQUEST_ID_PREFIX}${calls++}`;
  const headers = { authorization: `Bearer ${ROOT_KEY}`, 'x-request-id': requestId };
  return instance.call(method, path, headers, body);
}

/** Sockets that send one byte of a body, with and without a credential. */
const stallBodies: Attacker = async ({ port }) => {
  const sockets = Array.from({ length: STALLED_SOCKETS }, (_, place) => {
    const credential = place % 2 ? `authorization: Bearer ${ROOT_KEY}\r\n` : '';
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => socket.destroy());
    socket.write(
      `POST /v1/verify HTTP/1.1\r\nhost: localhost\r\n${credential}` +
        'content-type: application/json\r\ncontent-length: 9\r\n\r\n{',
    );
    return socket;
  });
  await delay(STALLED_MS);
  for (const socket of sockets) socket.destroy();
};

/** Arrays far over their bound. */
const oversizeBody: Attacker = (instance) =>
  call(instance, 'POST', '/v1/keys/import', { keys: new Array(OVERSIZE_BYTES / 2).fill(0) });

const unknownStrings: Attacker = (instance) => {
  const requests = Array.from({ length: 100 }, () => ({ key: randomUUID() }));
  return call(instance, 'POST', '/v1/verify/batch', { requests });
};

/** A workspace that is made, filled with keys of another system, used, and deleted. */
const importAndDelete: Attacker = async (instance) => {
  const workspaceId = `${WORKSPACE_PREFIX}${calls++}`;
  await call(instance, 'PUT', `/v1/workspaces/${workspaceId}`, {});
  const strings = Array.from({ length: IMPORTED }, () => randomUUID());
  const keys = strings.map((string) => ({
    name: 'imported',
    hash: { algorithm: 'sha256', value: hash('sha256', string) },
  }));
  await call(instance, 'POST', '/v1/keys/import', { workspaceId, keys });
  const requests = strings.map((key) => ({ key }));
  await call(instance, 'POST', '/v1/verify/batch', { requests });
  await call(instance, 'DELETE', `/v1/workspaces/${workspaceId}`);
};

const listEverything: Attacker = (instance) =>
  Promise.all([
    call(instance, 'GET', '/v1/keys?workspaceId=*&limit=200'),
    call(instance, 'GET', '/v1/audit-events?workspaceId=*&limit=200'),
  ]);

const ATTACKERS: readonly (readonly [attack: Attacker, pauseMs: number])[] = [
  [stallBodies, 500],
  [oversizeBody, 1000],
  [unknownStrings, 200],
  [importAndDelete, 1000],
  [listEverything, 300],
];
