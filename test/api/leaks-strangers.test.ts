import { describe, expect, it, onTestFinished } from 'vitest';
import { connect, createTestDatabase } from '../support/database.ts';
import { base62, checksumOf, partsOf, readChecksumKey } from '../support/forged-key.ts';
import { launch, launchForTest } from '../support/instance.ts';
import { outcomes, report, reportAndWait, send, untilHandled } from '../support/leaks.ts';
import { holdRows, untilWaiting } from '../support/locks.ts';
import { metric, metrics } from '../support/metrics.ts';
import { usePair } from '../support/pair.ts';
import { head, listen, RawConnection, statuses } from '../support/raw-http.ts';
import { createKey, verdict } from '../support/sql-keys.ts';

const RUNS = 'keyward_argon2_runs_total';
const JSON_TYPE = { 'Content-Type': 'application/json' };

const forged = () => `ak_live_${base62(65)}`;
const many = <Item>(count: number, make: () => Item) => Array.from({ length: count }, make);

describe('reports of strangers', () => {
  const pair = usePair({ leakReports: true });
  const entries = async () => {
    const client = await connect(pair.databaseUrl);
    const { rows } = await client.query('select count(*)::int as entries from audit_events');
    return rows[0].entries;
  };

  it('2,000 forged strings cost no argon2, change nothing, and are answered byte for byte like a real one', async () => {
    const { key } = await createKey(pair.first);
    const port = await listen(pair.second);
    const before = [await metric(pair.second, RUNS), await entries()];
    const bodies = [
      ...many(20, () => ({ keys: many(100, () => ({ key: forged() })) })),
      { keys: [{ key, url: 'https://example.com/' }] },
    ];
    const answers = new Set<string>();
    for (const body of bodies) {
      const response = await fetch(`http://127.0.0.1:${port}/v1/leaks`, {
        method: 'POST',
        headers: { ...JSON_TYPE, 'x-request-id': 'the-same' },
        body: JSON.stringify(body),
      });
      const headers = [...response.headers].filter(([name]) => name !== 'date');
      answers.add(JSON.stringify([response.status, headers, await response.text()]));
      if (body === bodies.at(-2)) {
        await untilHandled(pair.second);
        expect([await metric(pair.second, RUNS), await entries()]).toEqual(before);
      }
    }
    expect([...answers]).toHaveLength(1);
    expect([...answers][0]).toContain('[202,');
    await untilHandled(pair.second);
    expect(await verdict(pair.first, key)).toBe('REVOKED');
  });

  it.each([
    ...[null, true, 42, '"a text"', [], {}, [[[]]], { keys: null }, { keys: {} }, { keys: [] }],
    ...[{ keys: [null, 1, [], 'x', {}] }, { keys: [{ key: 1 }, { key: '' }, { key: '\ud800' }] }],
    ...[{ keys: [{ key: 'x'.repeat(600), url: {}, source: [] }] }, { other: 'field' }],
    '['.repeat(10_000) + ']'.repeat(10_000),
    `{"keys":[${'{"key":"x"},'.repeat(2000)}{}]}`,
  ])('whatever JSON is sent, it is answered 202 without a body: %j', async (body) => {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const { status, headers, text: answer } = await send(pair.first, text);
    const { 'x-request-id': _id, date: _date, ...same } = headers;
    const expected = { 'cache-control': 'no-store', 'content-length': '0' };
    expect([status, answer, same]).toMatchObject([202, '', expected]);
    expect(Object.keys(same).sort()).toEqual(['cache-control', 'connection', 'content-length']);
  });

  it('what is not JSON, is of another type, too large or without a body is refused', async () => {
    const post = async (body?: string, headers: Record<string, string> = {}) => {
      const answer = await pair.first.call('POST', '/v1/leaks', { as: null, body, headers });
      return [answer.status, answer.body.code];
    };
    expect(await post('{"keys":')).toEqual([400, 'MALFORMED_JSON']);
    expect(await post('{"keys":[],"keys":[]}')).toEqual([400, 'MALFORMED_JSON']);
    expect(await post('')).toEqual([400, 'MALFORMED_JSON']);
    expect(await post(undefined)).toEqual([400, 'MALFORMED_JSON']);
    expect(await post('{}', { 'content-type': 'text/plain' })).toEqual([
      ...[415, 'UNSUPPORTED_MEDIA_TYPE'],
    ]);
    const large = `{"keys":[],"more":"${'x'.repeat(32_768)}"}`;
    expect(await post(large)).toEqual([413, 'BODY_TOO_LARGE']);
  });

  it('only the first 100 strings of a report are looked at', async () => {
    const { key } = await createKey(pair.first);
    const before = await outcomes(pair.first);
    await reportAndWait(pair.first, ...many(100, () => 'x'), key);
    expect(await verdict(pair.first, key)).toBe('VALID');
    expect((await outcomes(pair.first)).reported).toBe(before.reported + 100);
  });

  it('a string with a right checksum and a wrong secret changes nothing', async () => {
    const { key } = await createKey(pair.first);
    const { prefix, ref, secret } = partsOf(key);
    const flipped = secret.startsWith('A') ? `B${secret.slice(1)}` : `A${secret.slice(1)}`;
    const body = `${prefix}_${ref}${flipped}`;
    await reportAndWait(
      pair.first,
      body + checksumOf(body, await readChecksumKey(pair.databaseUrl)),
    );
    expect(await verdict(pair.first, key)).toBe('VALID');
  });

  it('strings without a checksum are looked up at most 100 times a second, and the others are dropped', async () => {
    const before = await outcomes(pair.first);
    for (let times = 0; times < 20; times++) await report(pair.first, ...many(100, forged));
    await untilHandled(pair.first);
    const { reported, dropped } = await outcomes(pair.first);
    expect(reported).toBe(before.reported + 2000);
    expect(dropped - before.dropped).toBeGreaterThanOrEqual(500);
    pair.advance(1000);
    const { dropped: dropsOf } = await outcomes(pair.first);
    await reportAndWait(pair.first, forged());
    expect((await outcomes(pair.first)).dropped).toBe(dropsOf);
  });

  it('reports that find no room are dropped and counted, answered like all others, and those before them are handled', async () => {
    const { id, key } = await createKey(pair.first);
    const release = await holdRows(pair.databaseUrl, 'select 1 from keys where id = $1', [id]);
    await report(pair.first, key);
    await untilWaiting(pair.databaseUrl, 1);
    const before = await outcomes(pair.first);
    const url = `https://example.com/${'x'.repeat(150)}`;
    for (let times = 0; times < 30; times++) {
      const { status, text } = await report(
        pair.first,
        ...many(100, () => ({ key: forged(), url })),
      );
      expect([status, text]).toEqual([202, '']);
    }
    const { dropped } = await outcomes(pair.first);
    expect(dropped).toBeGreaterThan(before.dropped);
    const found = await metrics(pair.first);
    const of = (what: string) => found.get(`keyward_bound_${what}{bound="leak_reports"}`) ?? 0;
    expect(of('used')).toBeGreaterThan(of('limit') * 0.7);
    expect(of('used')).toBeLessThanOrEqual(of('limit') * 0.75);
    await release();
    await untilHandled(pair.first);
    expect(await verdict(pair.second, key)).toBe('REVOKED');
  });

  it('half of the places for reports are those of one network at most, and are free again when a sender hangs up', async () => {
    const port = await listen(pair.first);
    const used = () => metric(pair.first, 'keyward_bound_used{bound="leak_requests"}');
    const open = async () => {
      const connection = await RawConnection.open(port);
      connection.send(head('POST /v1/leaks', { ...JSON_TYPE, 'Content-Length': 9 }));
      return connection;
    };
    const slow = await Promise.all(many(8, open));
    await expect.poll(used).toBe(8);
    const refused = await open();
    const answer = await refused.untilEnded();
    expect([statuses(answer), answer.includes('OVERLOADED')]).toEqual([[503], true]);
    for (const one of slow) one.destroy();
    await expect.poll(used).toBe(0);
    const { status } = await fetch(`http://127.0.0.1:${port}/v1/leaks`, {
      method: 'POST',
      headers: JSON_TYPE,
      body: '{}',
    });
    expect(status).toBe(202);
  });

  it('a body that is larger than the bound is refused before it is read', async () => {
    const { service } = pair.first;
    const connection = await RawConnection.open(Object(service.app.server.address()).port);
    connection.send(head('POST /v1/leaks', { ...JSON_TYPE, 'Content-Length': 40_000 }));
    expect(statuses(await connection.untilEnded())).toEqual([413]);
  });
});

describe('an instance', () => {
  const databaseForTest = async () => {
    const database = await createTestDatabase();
    onTestFinished(database.drop);
    return database.url;
  };

  it('takes no reports of leaks unless a setting says so', async () => {
    const instance = await launchForTest(await databaseForTest());
    const { key } = await createKey(instance);
    for (const path of ['/v1/leaks', '/v1/leaks/github']) {
      const body = { keys: [{ key }] };
      const answer = await instance.call('POST', path, { as: null, body });
      expect([answer.status, answer.body.code]).toEqual([404, 'ROUTE_NOT_FOUND']);
    }
    expect(await verdict(instance, key)).toBe('VALID');
    expect((await outcomes(instance)).reported).toBe(0);
  });

  it('that stops finishes the reports that it has answered, and drops strings that would be looked up', async () => {
    const url = await databaseForTest();
    const stopping = await launch(url, { leakReports: true });
    const other = await launchForTest(url);
    const keys = await Promise.all(many(5, () => createKey(other)));
    await report(stopping, ...keys.map(({ key }) => key), ...many(50, forged));
    await stopping.stop();
    for (const { key } of keys) expect(await verdict(other, key)).toBe('REVOKED');
    expect(stopping.logLines.join('')).not.toContain('leak.not_handled');
  });
});
