import type { Random } from '../history/harness/random.ts';
import type { Sender } from './http.ts';
import type { World } from './world.ts';

/** Sends what no HTTP client would send; the answer, if any, must not be a 5xx. */
export async function sendGarbage(
  sender: Sender,
  world: World,
  random: Random,
): Promise<{ sent: string; problems: string[] }> {
  const bytes = garbage(world, random);
  const text = await sender.raw(bytes);
  const statuses = [...text.matchAll(/^HTTP\/1\.1 (\d{3}) /gm)].map(([, status]) => Number(status));
  const isWrong = (status: number) => status >= 500 && status !== 503;
  const problems = statuses.filter(isWrong).map((status) => `answered ${status}`);
  if (text !== '' && statuses.length === 0) problems.push('answered with something else than HTTP');
  return { sent: bytes.subarray(0, 300).toString('latin1'), problems };
}

function garbage(world: World, random: Random): Buffer {
  const auth = `Authorization: Bearer ${world.rootKey}\r\n`;
  const host = 'Host: localhost\r\n';
  const json = 'Content-Type: application/json\r\n';
  const body = '{"name":"x"}';
  const post = `POST /v1/keys HTTP/1.1\r\n${host}${auth}${json}`;
  const text = random.pick([
    '\r\n\r\n',
    'GET / HTTP/9.9\r\n\r\n',
    'GET /livez HTTP/1.0\r\n\r\n',
    'GET /livez HTTP/1.1\r\n\r\n',
    `GET http://evil.example/livez HTTP/1.1\r\n${host}\r\n`,
    `GET livez HTTP/1.1\r\n${host}\r\n`,
    `GET /v1/keys?a=\u00ff HTTP/1.1\r\n${host}${auth}\r\n`,
    `FOO /livez HTTP/1.1\r\n${host}\r\n`,
    `CONNECT localhost:5432 HTTP/1.1\r\n${host}\r\n`,
    `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n`,
    `GET /livez HTTP/1.1\r\n${host}Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n`,
    `GET /livez HTTP/1.1\r\n${host}Expect: a miracle\r\n\r\n`,
    `GET /livez HTTP/1.1\r\n${host}X: a\0b\r\n\r\n`,
    `GET /livez HTTP/1.1\r\n${host}X : spaced\r\n\r\n`,
    `GET /livez HTTP/1.1\r\n${host}${'X: y\r\n'.repeat(3000)}\r\n`,
    `GET /livez HTTP/1.1\r\n${host}X: ${'y'.repeat(40_000)}\r\n\r\n`,
    `${post}Content-Length: -1\r\n\r\n${body}`,
    `${post}Content-Length: 99999999999999999999\r\n\r\n${body}`,
    `${post}Content-Length: 5\r\nContent-Length: 12\r\n\r\n${body}`,
    `${post}Content-Length: 5\r\n\r\n${body}`,
    `${post}Content-Length: 500\r\n\r\n${body}`,
    `${post}Content-Length: 12\r\nTransfer-Encoding: chunked\r\n\r\n${body}`,
    `${post}Transfer-Encoding: chunked\r\n\r\nzz\r\n${body}\r\n0\r\n\r\n`,
    `${post}Transfer-Encoding: gzip, chunked\r\n\r\nc\r\n${body}\r\n0\r\n\r\n`,
    `${post}Expect: 100-continue\r\nContent-Length: 12\r\n\r\n${body}`,
    `${post}Content-Length: 12\r\n\r\n${body}GET /livez HTTP/1.1\r\n${host}\r\n`,
    `${post}${auth}Content-Length: 12\r\n\r\n${body}`,
  ]);
  const bytes = Buffer.from(text, 'latin1');
  return random.chance(0.3) ? scrambled(bytes, random) : bytes;
}

function scrambled(bytes: Buffer, random: Random): Buffer {
  const copy = Buffer.from(bytes);
  for (let count = random.between(1, 8); count > 0; count--) {
    copy[random.between(0, copy.length - 1)] = random.between(0, 255);
  }
  return random.chance(0.5) ? copy.subarray(0, random.between(1, copy.length)) : copy;
}
