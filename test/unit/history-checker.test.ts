import { describe, expect, it } from 'vitest';
import { checkHistory } from '../history/check/check.ts';
import { at, HistoryBuilder, KEY } from '../history/history-builder.ts';

/** What is found in a story whose counters are right. */
function violationsIn(history: HistoryBuilder): string[] {
  return checkHistory(history.withCounts().entries).map(
    ({ promise, what }) => `${promise}: ${what}`,
  );
}

describe('P1: what was taken away is gone', () => {
  it('finds VALID that began after a revoke had returned', () => {
    const history = HistoryBuilder.withKey().change('revoke', 10, 20).verify(21, 25, 'VALID');
    expect(violationsIn(history)).toEqual(['P1: said VALID where only REVOKED can be true']);
  });

  it('allows either answer while the revoke is under way, and REVOKED after it', () => {
    const history = HistoryBuilder.withKey()
      .change('revoke', 10, 20)
      .verify(5, 11, 'VALID')
      .verify(12, 18, 'REVOKED')
      .verify(21, 25, 'REVOKED');
    expect(violationsIn(history)).toEqual([]);
  });

  it('finds VALID after another verification had seen the revoke', () => {
    const history = HistoryBuilder.withKey()
      .change('revoke', 10, 100)
      .verify(12, 18, 'REVOKED')
      .verify(20, 25, 'VALID');
    expect(violationsIn(history)).toEqual(['P1: said VALID where only REVOKED can be true']);
  });

  it.each([
    ['disabled', { enabled: false }, 'DISABLED'],
    ['narrowed in its scopes', { scopes: ['write'] }, 'INSUFFICIENT_SCOPE'],
    ['narrowed in its resources', { resources: [] }, 'RESOURCE_NOT_ALLOWED'],
    ['narrowed in its addresses', { allowedIps: ['192.0.2.2'] }, 'IP_NOT_ALLOWED'],
    ['expired', { expiresAt: at(15) }, 'EXPIRED'],
  ])('finds VALID of a key that was %s', (_, changed, code) => {
    const requested = { scope: 'read', resource: 'project:a', ip: '192.0.2.1', cost: 1 };
    const history = HistoryBuilder.withKey()
      .change('patch', 10, 20, { changed })
      .verify(60, 65, 'VALID', { requested });
    expect(violationsIn(history)).toEqual([`P1: said VALID where only ${code} can be true`]);
  });

  it('allows what was given back', () => {
    const history = HistoryBuilder.withKey()
      .change('patch', 10, 20, { changed: { enabled: false } })
      .verify(21, 25, 'DISABLED')
      .change('patch', 30, 40, { changed: { enabled: true } })
      .verify(31, 33, 'VALID')
      .verify(41, 45, 'VALID');
    expect(violationsIn(history)).toEqual([]);
  });

  it('finds VALID of a string that was rotated away, and lets its grace pass', () => {
    const rotated = (graceSeconds: number) =>
      HistoryBuilder.withKey().change('rotate', 10, 20, {
        changed: { graceSeconds },
        newRef: 'ref_b',
      });
    expect(violationsIn(rotated(0).verify(21, 25, 'VALID'))).toHaveLength(1);
    expect(
      violationsIn(rotated(2).verify(21, 25, 'VALID').verify(21, 25, 'VALID', { ref: 'ref_b' })),
    ).toEqual([]);
    expect(violationsIn(rotated(2).verify(3000, 3005, 'VALID'))).toHaveLength(1);
    expect(
      violationsIn(rotated(60).change('end-grace', 30, 40).verify(41, 45, 'VALID')),
    ).toHaveLength(1);
  });

  it('knows by the audit log which of two rotations at the same time came first', () => {
    const rotatedTwice = () =>
      HistoryBuilder.withKey()
        .change('rotate', 10, 30, { changed: { graceSeconds: 0 }, newRef: 'ref_b' })
        .change('rotate', 10, 29, { changed: { graceSeconds: 0 }, newRef: 'ref_c' });
    expect(violationsIn(rotatedTwice().verify(40, 45, 'VALID', { ref: 'ref_c' }))).toEqual([]);
    expect(violationsIn(rotatedTwice().verify(40, 45, 'VALID', { ref: 'ref_b' }))).toHaveLength(1);
  });

  it('finds VALID in a suspended workspace', () => {
    const history = HistoryBuilder.withKey()
      .change('suspend', 10, 20, { targets: ['default'] })
      .verify(21, 25, 'VALID');
    expect(violationsIn(history)).toEqual([
      'P1: said VALID where only WORKSPACE_SUSPENDED can be true',
    ]);
  });

  it('finds a revoked management key that was still accepted', () => {
    const management = { targets: ['mk_a'], workspaceId: 'default' };
    const history = HistoryBuilder.withKey()
      .change('create-management', 2, 3, { ...management, newRef: 'mk_ref' })
      .change('revoke-management', 10, 20, management)
      .verify(21, 25, 'VALID', { as: 'mk_ref' })
      .add({ type: 'count', ref: 'mk_ref', code: 'VALID', count: 1 });
    expect(violationsIn(history)).toEqual(['P1: a management key that had ended was accepted']);
  });

  it('finds a forged string that was believed', () => {
    expect(
      violationsIn(HistoryBuilder.withKey().verify(10, 15, 'VALID', { forged: true })),
    ).toEqual(['P1: said VALID where only NOT_FOUND can be true']);
  });

  it('takes a change that nobody answered for made where the audit log has it, else for not made', () => {
    const unanswered = (recorded: boolean) =>
      HistoryBuilder.withKey().change('revoke', 10, 20, { status: null, recorded });
    expect(
      violationsIn(unanswered(true).verify(30, 35, 'VALID').verify(40, 45, 'REVOKED')),
    ).toEqual([]);
    expect(violationsIn(unanswered(false).verify(30, 35, 'REVOKED'))).toHaveLength(1);
  });

  it('takes it for in force once a later change of its workspace was answered', () => {
    const history = HistoryBuilder.withKey()
      .change('revoke', 10, 20, { status: 503 })
      .change('create', 30, 40, { targets: ['key_b'], newRef: 'ref_b' })
      .verify(41, 45, 'VALID');
    expect(violationsIn(history)).toEqual(['P1: said VALID where only REVOKED can be true']);
  });
});

describe('no denial that nothing explains', () => {
  it.each(['REVOKED', 'DISABLED', 'NOT_FOUND', 'CREDITS_EXHAUSTED'])(
    'finds a made-up %s',
    (code) => {
      expect(violationsIn(HistoryBuilder.withKey().verify(10, 15, code))).toHaveLength(1);
    },
  );

  it('allows a 503 at any time, and no other error', () => {
    const refused = (status: number) => HistoryBuilder.withKey().verify(10, 15, null, { status });
    expect(violationsIn(refused(503))).toEqual([]);
    expect(violationsIn(refused(500))).toEqual(['answers: verify answered 500']);
  });
});

describe('P6: every change is on the record', () => {
  it('finds an acknowledged change without its entry', () => {
    const history = HistoryBuilder.withKey().change('rotate', 10, 20, {
      newRef: 'ref_b',
      recorded: false,
    });
    expect(violationsIn(history)).toEqual([
      `P6: an acknowledged rotate of ${KEY} is not on the record`,
    ]);
  });

  it('allows no entry of a revoke that found the key revoked', () => {
    const history = HistoryBuilder.withKey()
      .change('revoke', 10, 20)
      .change('revoke', 30, 40, { recorded: false });
    expect(violationsIn(history)).toEqual([]);
    const first = HistoryBuilder.withKey().change('revoke', 10, 20, { recorded: false });
    expect(violationsIn(first)).toHaveLength(1);
  });

  it('finds an entry that nobody asked for, of a refused change, and a second one', () => {
    const stranger = { id: 'x', op: 'revoke', start: 5, workspaceId: 'default' } as const;
    expect(violationsIn(HistoryBuilder.withKey().audit(stranger, KEY))).toHaveLength(1);
    expect(
      violationsIn(HistoryBuilder.withKey().change('patch', 10, 20, { status: 409 })),
    ).toHaveLength(1);
    const twice = HistoryBuilder.withKey().audit(
      { id: 'c0', op: 'create', start: 0, workspaceId: 'default' },
      KEY,
    );
    expect(violationsIn(twice)).toEqual([`P6: key.created of ${KEY} is recorded twice`]);
  });

  it('finds a broken chain', () => {
    const history = HistoryBuilder.withKey().add({
      type: 'chain',
      intact: false,
      said: 'entry 3 is missing',
    });
    expect(violationsIn(history)).toEqual(['P6: the chain is broken: entry 3 is missing']);
  });

  it('finds nothing in an empty history', () => {
    expect(violationsIn(new HistoryBuilder())).toEqual([]);
  });
});
