import type { Socket } from 'node:net';
import { type Attack, unknownKey } from '../harness/attack.ts';
import type { Scenario } from '../scenario.ts';

/** Attacks of whom nobody knows: they hold no credential. */
type Parts = Omit<Scenario, 'group'>;
const stranger = (parts: Parts): Scenario => ({ group: 'strangers', ...parts });

const DRIP_MS = 500;
const PIPELINE_MS = 2000;
const HOST = 'host: localhost\r\n';
const JSON_BODY = 'content-type: application/json\r\n';

/** The first byte of a nine-byte body, which is all that ever comes. */
export function stalled(path: string, authorization = ''): (socket: Socket) => void {
  const credential = authorization && `authorization: Bearer ${authorization}\r\n`;
  const head = `POST ${path} HTTP/1.1\r\n${HOST}${credential}${JSON_BODY}`;
  return (socket) => socket.write(`${head}content-length: 9\r\n\r\n{`);
}

function drip(head: string, piece: string, everyMs = DRIP_MS): (socket: Socket) => void {
  return (socket) => {
    socket.write(head);
    const timer = setInterval(() => socket.write(piece), everyMs);
    socket.once('close', () => clearInterval(timer));
  };
}

const slowHeaders = [200, 1000].map((count) =>
  stranger({
    name: `slow-headers/${count}`,
    does: `${count} sockets send a header a byte at a time`,
    attack: (attack) => attack.hold(count, drip(`GET /livez HTTP/1.1\r\n${HOST}x: `, 'y')),
  }),
);

const STALLED: [variant: string, count: number, path: string, addresses: number][] = [
  ['verify-200', 200, '/v1/verify', 1],
  ['verify-2050', 2050, '/v1/verify', 1],
  ['verify-2050-from-64-addresses', 2050, '/v1/verify', 64],
  ['batch-200', 200, '/v1/verify/batch', 1],
  ['import-2050', 2050, '/v1/keys/import', 1],
  ['revoke-own-2050', 2050, '/v1/whoami/revoke', 1],
  ['no-route-2050', 2050, '/nothing/here', 1],
];

const stalledBodies = [
  ...STALLED.map(([variant, count, path, addresses]) =>
    stranger({
      name: `stalled-bodies/${variant}`,
      does: `${count} sockets send one byte of a body to ${path}, and no credential`,
      attack: (attack) => attack.hold(count, stalled(path), addresses),
    }),
  ),
  stranger({
    name: 'stalled-bodies/unknown-key-2050',
    does: '2050 sockets send one byte of a body with a management key that does not exist',
    attack: (attack) => attack.hold(2050, stalled('/v1/verify', unknownKey('kw'))),
  }),
];

const LARGE: [variant: string, path: string, bytes: number][] = [
  ['verify-64KiB', '/v1/verify', 65_000],
  ['batch-1MiB', '/v1/verify/batch', 1_000_000],
  ['import-4MiB', '/v1/keys/import', 4_000_000],
  ['import-beyond', '/v1/keys/import', 40_000_000],
];

const largeBodies = LARGE.map(([variant, path, bytes]) =>
  stranger({
    name: `large-bodies/${variant}`,
    does: `bodies of ${bytes} bytes to ${path}, without a credential`,
    attack: (attack) => {
      const body = `{"keys":[${'0,'.repeat(bytes / 2)}0]}`;
      return attack.hammer({ connections: 10, perSecond: 20 }, () => ({ path, body, as: null }));
    },
  }),
);

const endlessBodies = ['/v1/verify', '/v1/keys/import'].map((path) =>
  stranger({
    name: `endless-bodies/${path.split('/').at(-1)}`,
    does: `200 sockets send chunks without an end to ${path}`,
    attack: (attack) =>
      attack.hold(
        200,
        drip(
          `POST ${path} HTTP/1.1\r\n${HOST}${JSON_BODY}transfer-encoding: chunked\r\n\r\n`,
          `400\r\n${' '.repeat(1024)}\r\n`,
        ),
      ),
  }),
);

const guesses = [
  stranger({
    name: 'guesses/management-keys',
    does: 'random management keys in the right form, 300 a second',
    attack: (attack) =>
      attack.hammer({ connections: 50, perSecond: 300 }, () => ({
        path: '/v1/verify',
        as: unknownKey('kw'),
        body: { key: unknownKey('ak_live') },
      })),
  }),
  stranger({
    name: 'guesses/root-keys',
    does: 'random root keys, 300 a second',
    attack: (attack) =>
      attack.hammer({ connections: 50, perSecond: 300 }, () => ({
        method: 'GET',
        path: '/v1/keys',
        as: unknownKey('root').slice(0, 40),
      })),
  }),
  stranger({
    name: 'guesses/gateway',
    does: 'random keys to /v1/authorize without a credential of a gateway, 300 a second',
    attack: (attack) => guess(attack, '/v1/authorize'),
  }),
  stranger({
    name: 'guesses/whoami',
    does: 'random keys to /v1/whoami, 300 a second',
    attack: (attack) => guess(attack, '/v1/whoami'),
  }),
];

function guess(attack: Attack, path: string): Promise<void> {
  return attack.hammer({ connections: 50, perSecond: 300 }, () => ({
    method: 'GET',
    path,
    as: null,
    headers: { 'x-api-key': unknownKey('ak_live') },
  }));
}

const loops = ['/livez', '/readyz', '/metrics', '/openapi.json', '/docs/'].map((path) =>
  stranger({
    name: `open-routes${path.replace(/\/$/, '')}`,
    does: `${path} 300 times a second over 50 connections`,
    attack: (attack) =>
      attack.hammer({ connections: 50, perSecond: 300 }, () => ({ method: 'GET', path, as: null })),
  }),
);

const connections = [
  stranger({
    name: 'connections/idle-1000',
    does: '1000 connections that never send anything',
    attack: (attack) => attack.hold(1000, () => {}),
  }),
  stranger({
    name: 'connections/flood',
    does: '300 connections a second, each closed at once',
    attack: (attack) =>
      attack.repeat({ connections: 50, perSecond: 300 }, () =>
        attack.send({
          method: 'GET',
          path: '/nothing/here',
          as: null,
          headers: { connection: 'close' },
        }),
      ),
  }),
];

const pipelining = [
  ['livez', `GET /livez HTTP/1.1\r\n${HOST}\r\n`],
  ['verify', `POST /v1/verify HTTP/1.1\r\n${HOST}${JSON_BODY}content-length: 2\r\n\r\n{}`],
].map(([variant, text = '']) =>
  stranger({
    name: `pipelining/${variant}`,
    does: '20 sockets write 40 requests at once, every two seconds, and read no answer',
    attack: (attack) =>
      attack.hold(20, (socket) => {
        socket.pause();
        drip(text.repeat(40), text.repeat(40), PIPELINE_MS)(socket);
      }),
  }),
);

const bursts = [
  { variant: 'openapi.json', path: '/openapi.json', reads: true },
  { variant: 'scripts-unread', path: '/docs/static/swagger-ui-bundle.js', reads: false },
  { variant: 'calls', path: '/v1/keys', reads: true },
].map(({ variant, path, reads }) =>
  stranger({
    name: `bursts/${variant}`,
    does: `130 sockets write 14 GET ${path} at once, every two seconds, and read ${reads ? 'the' : 'no'} answers`,
    attack: (attack) =>
      attack.hold(130, (socket) => {
        if (reads) socket.resume();
        else socket.pause();
        const text = `GET ${path} HTTP/1.1\r\n${HOST}\r\n`.repeat(14);
        drip(text, text, PIPELINE_MS)(socket);
      }),
  }),
);

const hugeHeaders = [
  ['below-the-bound', 15_000],
  ['beyond-the-bound', 40_000],
].map(([variant, bytes]) =>
  stranger({
    name: `huge-headers/${variant}`,
    does: `requests with ${bytes} bytes of headers, 300 a second`,
    attack: (attack) =>
      attack.hammer({ connections: 50, perSecond: 300 }, () => ({
        path: '/v1/verify',
        as: null,
        headers: { 'x-request-id': 'a', 'x-filler': 'y'.repeat(Number(bytes)) },
      })),
  }),
);

export const STRANGERS: readonly Scenario[] = [
  ...slowHeaders,
  ...stalledBodies,
  ...largeBodies,
  ...endlessBodies,
  ...guesses,
  ...loops,
  ...connections,
  ...pipelining,
  ...bursts,
  ...hugeHeaders,
];
