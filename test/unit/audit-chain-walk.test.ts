import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ChainRow, chainHash, FIRST_HEAD, type Head } from '../../src/audit/chain.ts';
import { type ChainCheckOptions, ChainWalk } from '../../src/audit/chain-walk.ts';
import { Pepper } from '../../src/domain/pepper.ts';

const PEPPER = new Pepper('the secret of these tests, 0123456789');
const OTHER = new Pepper('another secret of these tests, 012345');

/** A log as the service writes it; `peppers` has the pepper of each entry. */
function logOf(peppers: readonly (Pepper | null)[], start: Head = FIRST_HEAD): ChainRow[] {
  let head = start;
  return peppers.map((pepper) => {
    const sequence = head.sequence + 1;
    const payload = JSON.stringify({ workspaceId: 'w', sequence, action: 'a', after: null });
    head = { sequence, hash: chainHash(head.hash, payload, pepper) };
    return { workspaceId: 'w', ...head, payload, pepperId: pepper?.id ?? null };
  });
}

function walk(
  rows: readonly ChainRow[],
  head: Head | null,
  options: Partial<ChainCheckOptions> = {},
) {
  const chain = new ChainWalk({
    workspaceId: 'w',
    checkpoint: null,
    peppers: new Map([[PEPPER.id, PEPPER]]),
    expected: [],
    allowUnkeyed: false,
    ...options,
  });
  for (const row of rows) chain.add(row);
  return chain.end(head);
}

/** The same entries with consistent hashes, as they can be computed without the secret. */
function rehash(rows: readonly ChainRow[]): ChainRow[] {
  let previous = FIRST_HEAD.hash;
  return rows.map((row) => {
    previous = chainHash(previous, row.payload, null);
    return { ...row, hash: previous, pepperId: null };
  });
}

const last = (rows: readonly ChainRow[]): Head => rows.at(-1) ?? FIRST_HEAD;
const plain = (count: number) => Array.from({ length: count }, () => null);
const keyed = (count: number) => Array.from({ length: count }, () => PEPPER);
const atLeastTwo = fc.integer({ min: 2, max: 30 });

/** An entry after those of a log. */
function next(rows: readonly ChainRow[], content: { action: string; after: object }): ChainRow {
  const { sequence, hash } = last(rows);
  const payload = JSON.stringify({ workspaceId: 'w', sequence: sequence + 1, ...content });
  const own = { payload, hash: chainHash(hash, payload, PEPPER), pepperId: PEPPER.id };
  return { workspaceId: 'w', sequence: sequence + 1, ...own };
}

describe('a walk along an audit log', () => {
  it('a walk accepts every audit log that is as it was written, keyed or not', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 30 }), fc.boolean(), (count, withSecret) => {
        const rows = logOf(withSecret ? keyed(count) : plain(count));
        expect(walk(rows, last(rows), withSecret ? {} : { peppers: new Map() })).toEqual([]);
      }),
    );
  });

  it('a walk finds any one entry that was changed, removed, repeated or moved, and any tail that was cut', () => {
    const tampering = fc.constantFrom('payload', 'hash', 'drop', 'swap', 'repeat', 'tail');
    fc.assert(
      fc.property(atLeastTwo, fc.nat(), fc.nat(), tampering, (count, one, two, how) => {
        const rows = logOf(keyed(count));
        const head = last(rows);
        const [i, j] = [one % count, two % count];
        const [a, b] = [rows[i], rows[j]];
        if (!a || !b || (how === 'swap' && i === j)) return;
        if (how === 'payload') rows[i] = { ...a, payload: a.payload.replace('"a"', '"b"') };
        if (how === 'hash') rows[i] = { ...a, hash: FIRST_HEAD.hash };
        if (how === 'drop') rows.splice(i, 1);
        if (how === 'repeat') rows.splice(i, 0, a);
        if (how === 'tail') rows.splice(i);
        if (how === 'swap') {
          rows[i] = { ...b, sequence: a.sequence };
          rows[j] = { ...a, sequence: b.sequence };
        }
        expect(() => walk(rows, head)).toThrow();
      }),
    );
  });

  it('a walk detects a rewritten log by a head that was kept, whichever earlier entry was changed', () => {
    fc.assert(
      fc.property(atLeastTwo, fc.nat(), fc.nat(), (count, one, more) => {
        const rows = logOf(plain(count));
        const changed = one % count;
        const kept = rows[changed + (more % (count - changed))];
        if (!kept) return;
        const forged = rehash(
          rows.map((row, at) =>
            at === changed ? { ...row, payload: row.payload.replace('"a"', '"b"') } : row,
          ),
        );
        const withoutSecret = { peppers: new Map() };
        expect(walk(forged, last(forged), withoutSecret)).toEqual([]);
        expect(() => walk(forged, last(forged), { ...withoutSecret, expected: [kept] })).toThrow(
          'is not the expected head',
        );
      }),
    );
  });

  it('a walk detects a keyed log that was rewritten without the secret, from any entry on', () => {
    fc.assert(
      fc.property(atLeastTwo, fc.nat(), (count, one) => {
        const rows = logOf(keyed(count));
        const from = one % count;
        const kept = rows.slice(0, from);
        const forged = [...kept, ...logOf(plain(count - from), last(kept))];
        expect(() => walk(forged, last(forged))).toThrow('is not keyed');
      }),
    );
  });

  it('a walk accepts a log that began before there was a secret, but unkeyed entries after keyed ones only if allowed', () => {
    const began = logOf([null, null, PEPPER]);
    expect(walk(began, last(began))).toEqual([]);
    const paused = logOf([PEPPER, null, PEPPER]);
    expect(() => walk(paused, last(paused))).toThrow('entry 2 is not keyed');
    expect(walk(paused, last(paused), { allowUnkeyed: true })).toEqual([]);
  });

  it.each(['null', '7', '"text"', '{', ''])(
    'a payload that is no JSON object (%o) breaks the log instead of the check',
    (payload) => {
      const [row] = logOf(keyed(1));
      if (!row) throw new Error('there is one');
      const forged = { ...row, payload };
      expect(() => walk([forged], last([row]))).toThrow(
        'entry 1 was changed: it is not a JSON object',
      );
    },
  );

  it('a walk names the secret that is missing, and accepts a former secret beside the current one', () => {
    const rows = logOf([OTHER, PEPPER]);
    expect(() => walk(rows, last(rows))).toThrow(`whose id is ${OTHER.id}`);
    const peppers = new Map([PEPPER, OTHER].map((pepper) => [pepper.id, pepper]));
    expect(walk(rows, last(rows), { peppers })).toEqual([]);
  });

  it('a cut at the front is recorded only by an entry of a pruning that names its sequence and hash', () => {
    const rows = logOf(keyed(4));
    const checkpoint = rows[1];
    if (!checkpoint) throw new Error('there are four');
    const { sequence, hash } = checkpoint;
    for (const content of [
      { action: 'a', after: { sequence, hash } },
      { action: 'audit.pruned', after: { sequence: 1, hash } },
      { action: 'audit.pruned', after: { sequence, hash: FIRST_HEAD.hash } },
    ]) {
      const record = next(rows, content);
      const kept = [...rows.slice(2), record];
      expect(() => walk(kept, record, { checkpoint })).toThrow('no entry records');
    }
  });

  it('a walk accepts a log that was cut at the front only if a later entry records the cut', () => {
    const rows = logOf(keyed(6));
    const checkpoint = rows[2];
    if (!checkpoint) throw new Error('there are six');
    const kept = rows.slice(3);
    expect(() => walk(kept, last(rows))).toThrow('the front was cut without a checkpoint');
    expect(() => walk(kept, last(rows), { checkpoint })).toThrow('no entry records');
    const { hash } = checkpoint;
    const after = { sequence: 3, hash };
    const payload = JSON.stringify({
      workspaceId: 'w',
      sequence: 7,
      action: 'audit.pruned',
      after,
    });
    const record = {
      workspaceId: 'w',
      sequence: 7,
      payload,
      hash: chainHash(last(rows).hash, payload, PEPPER),
      pepperId: PEPPER.id,
    };
    const cut = [...kept, record];
    expect(walk(cut, record, { checkpoint })).toEqual([]);
    const expected = [{ sequence: 2, hash }];
    expect(walk(cut, record, { checkpoint, expected })).toEqual([
      'the expected head 2 was pruned, up to 3',
    ]);
    expect(() =>
      walk(cut, record, { checkpoint, expected: [{ sequence: 3, hash: FIRST_HEAD.hash }] }),
    ).toThrow('is not the expected head');
  });
});
