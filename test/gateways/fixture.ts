import { clientOf, type KeywardClient } from '../support/client.ts';
import { createTestDatabase } from '../support/database.ts';
import { startProgram } from '../support/program.ts';
import { makeKey } from '../support/shared-program.ts';
import { type GatewayProgram, startGateway } from './gateway.ts';
import {
  type Answer,
  type Line,
  linesOf,
  type Received,
  type Sent,
  send,
  startApi,
} from './http.ts';
import { startRelay } from './relay.ts';
import { type Opened, openSocket } from './socket.ts';

/** For tests that start programs of their own: a loaded machine is no reason to fail. */
export const START_TIMEOUT_MS = 90_000;

const ROOT_KEY = 'root-key-of-the-gateway-tests-0123456789';

/** The real Keyward, the real gateway, and an API behind them. */
export interface Fixture {
  send: (path: string, sent?: Sent) => Promise<Answer>;
  /** Sends with a key in X-API-Key. */
  sendWith: (key: string, path: string, sent?: Sent) => Promise<Answer>;
  /** Asks for an upgrade to a websocket. */
  open: (path: string, headers: readonly Line[]) => Promise<Opened>;
  /** The bytes that the gateway has sent to Keyward. */
  bytesToKeyward: () => number;
  /** Requests that reached the API, in order. */
  received: Received[];
  root: KeywardClient;
  createKey: (options?: Parameters<typeof makeKey>[1]) => ReturnType<typeof makeKey>;
  /** The id of the gateway's own management key. */
  gatewayKeyId: string;
  killKeyward: () => Promise<unknown>;
  /** Keyward takes questions, and answers none. */
  freezeKeyward: () => void;
  end: () => Promise<void>;
}

export interface Installed {
  /** Replaces the gateway's own management key. */
  credential?: string;
  trustedProxy?: string;
}

export async function openFixture(
  program: GatewayProgram,
  installed: Installed = {},
): Promise<Fixture> {
  const ends: (() => unknown)[] = [];
  const end = async () => {
    for (const stop of ends.reverse()) await stop();
  };
  try {
    return { ...(await open(program, installed, ends)), end };
  } catch (error) {
    await end();
    throw error;
  }
}

async function open(
  program: GatewayProgram,
  { credential, trustedProxy }: Installed,
  ends: (() => unknown)[],
): Promise<Omit<Fixture, 'end'>> {
  const database = await createTestDatabase();
  ends.push(() => database.drop());
  const settings = { DATABASE_URL: database.url, KEYWARD_ROOT_KEY: ROOT_KEY };
  const keyward = await startProgram(settings, { onCleanup: (stop) => ends.push(stop) });
  const root = clientOf(keyward.url, ROOT_KEY);
  const api = await startApi();
  ends.push(api.close);
  const issued = await issueGatewayKey(root);
  const relay = await startRelay(new URL(keyward.url));
  ends.push(relay.close);
  const { port, end: endGateway } = await startGateway(program, credential ?? issued.key, {
    keyward: relay.address,
    api: `127.0.0.1:${api.port}`,
    ...(trustedProxy === undefined ? {} : { trustedProxy }),
  });
  ends.push(endGateway);
  return {
    send: (path, sent) => send(port, path, sent),
    sendWith: (key, path, sent = {}) => send(port, path, withKey(key, sent)),
    open: (path, headers) => openSocket(port, path, headers),
    bytesToKeyward: relay.bytes,
    received: api.received,
    root,
    createKey: (options) => makeKey(root, options),
    gatewayKeyId: issued.id,
    freezeKeyward: relay.freeze,
    killKeyward: async () => {
      await keyward.end('SIGKILL');
      await relay.close();
    },
  };
}

function withKey(key: string, sent: Sent): Sent {
  return { ...sent, headers: [...linesOf(sent.headers), ['X-API-Key', key]] };
}

async function issueGatewayKey(root: KeywardClient): Promise<{ id: string; key: string }> {
  const body = { name: 'a gateway', permissions: ['keys:verify' as const] };
  const { data } = await root.POST('/v1/management-keys', { body });
  if (!data?.key) throw new Error('no management key was issued');
  return { id: data.id, key: data.key };
}
