import { expect, it, onTestFinished } from 'vitest';
import { describeGateways } from './describe-gateways.ts';
import { ANY_KEY, expectClosed } from './expectations.ts';
import { openFixture, START_TIMEOUT_MS } from './fixture.ts';
import type { Line, Sent } from './http.ts';
import { HANDSHAKE } from './socket.ts';

const SOCKET = `${ANY_KEY}/socket`;
const LARGE = 'x'.repeat(5_000_000);

describeGateways(({ name, program, fixture }) => {
  it(`${name} opens a websocket through to the API for a valid key, and none without or for a bad one`, async () => {
    const { id, key } = await fixture().createKey();
    for (const [headers, status] of [
      [[], 401],
      [[['X-API-Key', 'ak_live_no']], 401],
    ] as const) {
      expect((await fixture().open(SOCKET, headers)).status).toBe(status);
    }
    expect(fixture().received).toEqual([]);
    const { status, echo } = await fixture().open(SOCKET, [['X-API-Key', key]]);
    expect(status).toBe(101);
    expect(await echo('through to the API and back')).toBe('through to the API and back');
    expect(fixture().received[0]?.headers).toMatchObject({ 'x-keyward-key-id': id });
    expect(fixture().received[0]?.headers).not.toHaveProperty('x-api-key');
  });

  it.each<[string, Line[]]>([
    ['h2c', [['Upgrade', 'h2c']]],
    ['a websocket or h2c', [['Upgrade', 'websocket, h2c']]],
    [
      'a websocket and h2c in two lines',
      [
        ['Upgrade', 'websocket'],
        ['Upgrade', 'h2c'],
      ],
    ],
  ])(
    `${name} hands on no upgrade to %s, after which a client could send what nobody judges`,
    async (_, upgrades) => {
      const { key } = await fixture().createKey();
      const headers: Line[] = [
        ['Connection', 'Upgrade, HTTP2-Settings'],
        ['HTTP2-Settings', 'AAMAAABkAARAAAAAAAIAAAAA'],
        ...upgrades,
        ...HANDSHAKE,
      ];
      const { status } = await fixture().sendWith(key, ANY_KEY, { headers });
      expect([200, 400]).toContain(status);
      for (const received of fixture().received) {
        expect(received.headers.upgrade ?? '').not.toMatch(/h2c/);
      }
    },
  );

  it(`${name} hands a body of several megabytes on whole if the key is valid`, async () => {
    const { key } = await fixture().createKey();
    for (const sent of framings()) {
      expect((await fixture().sendWith(key, ANY_KEY, sent)).status).toBe(200);
      const body = fixture().received.pop()?.body;
      expect(body?.length).toBe(LARGE.length);
      expect(body === LARGE).toBe(true);
    }
  });

  it(`${name} sends a body of several megabytes without a key neither to the API nor to Keyward`, async () => {
    const before = fixture().bytesToKeyward();
    for (const sent of framings()) {
      // A client that goes on writing may find the connection closed before it reads the answer.
      const answer = await fixture()
        .send(ANY_KEY, sent)
        .catch(() => null);
      if (answer) expectClosed(answer, 401, 'KEY_MISSING');
    }
    expect(fixture().bytesToKeyward() - before).toBeLessThan(10_000);
    expect(fixture().received).toEqual([]);
  });

  it(`${name} refuses a request without a key before its body has come`, async () => {
    const headers = { 'Content-Length': String(LARGE.length) };
    const answer = await fixture().send(ANY_KEY, { method: 'POST', headers });
    expectClosed(answer, 401, 'KEY_MISSING');
    expect(fixture().received).toEqual([]);
  });

  it(
    `${name} believes X-Forwarded-For of a trusted proxy alone, and its last address alone`,
    async () => {
      const own = await openFixture(program, { trustedProxy: '127.0.0.1/32' });
      onTestFinished(own.end);
      const bound = await own.createKey({ allowedIps: ['203.0.113.7', '2001:db8::/32'] });
      const proxys = await own.createKey({ allowedIps: ['127.0.0.1', '127.0.0.2'] });
      const status = async (key: string, from: string, ...lines: string[]) => {
        const headers = lines.map((line): Line => ['X-Forwarded-For', line]);
        return (await own.sendWith(key, ANY_KEY, { headers, from })).status;
      };
      expect(await status(bound.key, '127.0.0.1', '203.0.113.7')).toBe(200);
      expect(await status(bound.key, '127.0.0.1', '2001:db8::7')).toBe(200);
      expect(await status(bound.key, '127.0.0.1', '198.51.100.9, 203.0.113.7')).toBe(200);
      expect(await status(bound.key, '127.0.0.1', '198.51.100.9', '203.0.113.7')).toBe(200);
      expect(await status(bound.key, '127.0.0.1', '203.0.113.7, 198.51.100.9')).toBe(403);
      expect(await status(bound.key, '127.0.0.1', '203.0.113.7', '198.51.100.9')).toBe(403);
      expect(await status(bound.key, '127.0.0.2', '203.0.113.7')).toBe(403);
      expect(await status(proxys.key, '127.0.0.2', '203.0.113.7')).toBe(200);
      expect(await status(proxys.key, '127.0.0.1', '203.0.113.7')).toBe(403);
      expect(await status(proxys.key, '127.0.0.1')).toBe(200);
    },
    START_TIMEOUT_MS,
  );
});

function framings(): Sent[] {
  const chunked = { 'Transfer-Encoding': 'chunked' };
  return [
    { method: 'POST', body: LARGE },
    { method: 'POST', body: LARGE, headers: chunked },
  ];
}
