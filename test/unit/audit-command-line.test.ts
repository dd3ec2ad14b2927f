import { describe, expect, it } from 'vitest';
import { auditPruneCommand, readPruneOptions } from '../../src/audit/prune-command.ts';
import { auditVerifyCommand, readVerifyOptions } from '../../src/audit/verify-command.ts';
import { PERMISSIONS } from '../../src/domain/caller.ts';
import { parseWords, UsageError } from '../../src/lib/command-line.ts';
import {
  createManagementKeyCommand,
  readManagementKeyOptions,
} from '../../src/management/commands.ts';

const parseVerifyArgs = (words: string[]) =>
  readVerifyOptions(parseWords(auditVerifyCommand, words).options);
const parsePruneArgs = (words: string[]) =>
  readPruneOptions(parseWords(auditPruneCommand, words).options);
const parseManagementKeyArgs = (words: string[]) =>
  readManagementKeyOptions(parseWords(createManagementKeyCommand, words).options);

const HASH = 'a'.repeat(64);
const words = (line: string) => line.split(' ');

describe('the arguments of commands', () => {
  it('an expected head belongs to the workspace it names, else that of --workspace, else default', () => {
    const expected = (line: string) => [...parseVerifyArgs(words(line)).expected.entries()];
    const head = { sequence: 7, hash: HASH };
    expect(expected(`--expect acme:7:${HASH} --expect 7:${HASH}`)).toEqual([
      ['acme', [{ workspaceId: 'acme', ...head }]],
      ['default', [{ workspaceId: 'default', ...head }]],
    ]);
    expect(expected(`--workspace acme --expect 7:${HASH}`)).toEqual([
      ['acme', [{ workspaceId: 'acme', ...head }]],
    ]);
  });

  it('a time argument is a day in UTC, or RFC 3339 with an offset', () => {
    const timeIn = (text: string) => parsePruneArgs(['--before', text]).before.toISOString();
    expect(timeIn('2026-01-31')).toBe('2026-01-31T00:00:00.000Z');
    expect(timeIn('2026-01-31T12:00:00+02:00')).toBe('2026-01-31T10:00:00.000Z');
  });

  it('a management key may do everything in the workspace default by default, and everywhere only if told', () => {
    expect(parseManagementKeyArgs(words('--name ops'))).toEqual({
      name: 'ops',
      permissions: [...PERMISSIONS],
      workspaceId: 'default',
    });
    expect(parseManagementKeyArgs(words('--name ops --all-workspaces')).workspaceId).toBeNull();
    const line = '--name ops --permissions audit:read,keys:read --workspace acme';
    expect(parseManagementKeyArgs(words(line))).toEqual({
      name: 'ops',
      permissions: ['keys:read', 'audit:read'],
      workspaceId: 'acme',
    });
  });

  it.each([
    [
      parseVerifyArgs,
      '--frobnicate',
      /^Unknown option '--frobnicate'; `keyward help audit verify` lists its options/,
    ],
    [parseVerifyArgs, 'acme', /^Unexpected argument 'acme'; /],
    [parseVerifyArgs, '--workspace', /--workspace/],
    [parseVerifyArgs, '--expect 17', /^--expect 17: must be/],
    [parseVerifyArgs, `--expect 17:${HASH}0`, /must be/],
    [parseVerifyArgs, `--workspace beta --expect acme:17:${HASH}`, /another workspace/],
    [
      parseVerifyArgs,
      '--former-secret-file /nowhere/secret',
      /^--former-secret-file .*cannot be read/,
    ],
    [parsePruneArgs, '--workspace acme', /^--before TIME is needed/],
    [parsePruneArgs, '--before yesterday', /^--before TIME is needed/],
    [parsePruneArgs, '--before 2026-01-31T00:00:00', /^--before TIME is needed/],
    [parsePruneArgs, '--before 2026-02-30', /^--before TIME is needed/],
    [parsePruneArgs, '--before 2026-02-30T00:00:00Z', /^--before TIME is needed/],
    [parseManagementKeyArgs, '--workspace acme', /^--name NAME is needed/],
    [parseManagementKeyArgs, `--name ${'x'.repeat(101)}`, /^--name: must .*100/],
    [parseManagementKeyArgs, '--name=', /^--name: must /],
    [parseManagementKeyArgs, '--name \u202eevil', /^--name: must be one line of text/],
    [parseManagementKeyArgs, '--name x --workspace ..', /^--workspace: must /],
    [parseManagementKeyArgs, '--name x --name y', /^--name is given twice; `keyward help /],
    [parseVerifyArgs, '--a.b', /^Unknown option '--a\.b'; /],
    [parseManagementKeyArgs, '--name x --permissions keys:fly', /keys:fly; known: keys:read/],
    [parseManagementKeyArgs, '--name x --permissions=', /no such permission/],
  ])('%o refuses %s in one sentence', (read, line, sentence) => {
    expect(() => read(words(line))).toThrow(UsageError);
    expect(() => read(words(line))).toThrow(sentence);
    expect(() => read(words(line))).not.toThrow(/\n/);
  });
});
