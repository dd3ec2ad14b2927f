import { describe, expect, it } from 'vitest';
import { readPruneWish, readVerifyWish } from '../../src/audit/audit.commands.ts';
import { PERMISSIONS } from '../../src/domain/caller.ts';
import { generateKey } from '../../src/domain/key-string.ts';
import { UsageError } from '../../src/lib/command-line.ts';
import { readManagementKeyWish } from '../../src/management/management.commands.ts';

const HASH = 'a'.repeat(64);
const words = (line: string) => line.split(' ');

describe('what an operator types', () => {
  it('an expected head is of the workspace it names, else of --workspace, else of default', () => {
    const expected = (line: string) => [...readVerifyWish(words(line)).expected.entries()];
    const head = { sequence: 7, hash: HASH };
    expect(expected(`--expect acme:7:${HASH} --expect 7:${HASH}`)).toEqual([
      ['acme', [{ workspaceId: 'acme', ...head }]],
      ['default', [{ workspaceId: 'default', ...head }]],
    ]);
    expect(expected(`--workspace acme --expect 7:${HASH}`)).toEqual([
      ['acme', [{ workspaceId: 'acme', ...head }]],
    ]);
  });

  it('a time is a day in UTC, or RFC 3339 with an offset', () => {
    const timeIn = (text: string) => readPruneWish(['--before', text]).before.toISOString();
    expect(timeIn('2026-01-31')).toBe('2026-01-31T00:00:00.000Z');
    expect(timeIn('2026-01-31T12:00:00+02:00')).toBe('2026-01-31T10:00:00.000Z');
  });

  it('a management key may do everything everywhere unless it is said otherwise', () => {
    expect(readManagementKeyWish(words('--name ops'))).toEqual({
      name: 'ops',
      permissions: [...PERMISSIONS],
      workspaceId: null,
    });
    const line = '--name ops --permissions audit:read,keys:read --workspace acme';
    expect(readManagementKeyWish(words(line))).toEqual({
      name: 'ops',
      permissions: ['keys:read', 'audit:read'],
      workspaceId: 'acme',
    });
  });

  it.each([
    [readVerifyWish, '--frobnicate', /^Unknown option '--frobnicate'; .*keyward help/],
    [readVerifyWish, 'acme', /^Unexpected argument 'acme'; /],
    [readVerifyWish, '--workspace', /--workspace/],
    [readVerifyWish, '--expect 17', /^--expect 17: must be/],
    [readVerifyWish, `--expect 17:${HASH}0`, /must be/],
    [readVerifyWish, `--workspace beta --expect acme:17:${HASH}`, /another workspace/],
    [
      readVerifyWish,
      '--former-secret-file /nowhere/secret',
      /^--former-secret-file .*cannot be read/,
    ],
    [readPruneWish, '--workspace acme', /^--before TIME is needed/],
    [readPruneWish, '--before yesterday', /^--before TIME is needed/],
    [readPruneWish, '--before 2026-01-31T00:00:00', /^--before TIME is needed/],
    [readPruneWish, '--before 2026-02-30', /^--before TIME is needed/],
    [readPruneWish, '--before 2026-02-30T00:00:00Z', /^--before TIME is needed/],
    [readManagementKeyWish, '--workspace acme', /^--name NAME is needed/],
    [readManagementKeyWish, `--name ${'x'.repeat(101)}`, /^--name NAME is needed/],
    [readManagementKeyWish, '--name x --permissions keys:fly', /keys:fly; known: keys:read/],
    [readManagementKeyWish, '--name x --permissions=', /no such permission/],
  ])('%o refuses %s in one sentence', (read, line, sentence) => {
    expect(() => read(words(line))).toThrow(UsageError);
    expect(() => read(words(line))).toThrow(sentence);
    expect(() => read(words(line))).not.toThrow(/\n/);
  });

  it('a management key is not named by a key', () => {
    const { key } = generateKey('ak_live', new Uint8Array(32));
    expect(() => readManagementKeyWish(['--name', key])).toThrow('--name contains an API key.');
  });
});
