import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigError, readConfig, SETTINGS } from '../../src/config.ts';
import { Pepper } from '../../src/domain/pepper.ts';

const KEY = 'k'.repeat(32);

function problemsOf(environment: NodeJS.ProcessEnv): string[] {
  try {
    readConfig(environment);
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split('\n').sort();
    throw error;
  }
  return [];
}

describe('the settings', () => {
  it('the settings are frozen, and other variables of the environment are ignored', () => {
    const config = readConfig({ HOME: '/root', NODE_ENV: 'production', PATH: '/bin' });
    expect(Object.isFrozen(config)).toBe(true);
    expect(Object.isFrozen(config.argon2)).toBe(true);
    expect(config).toEqual(readConfig({}));
  });

  it.each(Object.keys(SETTINGS))('%s refuses an empty value and one of spaces', (name) => {
    for (const value of ['', ' ']) {
      expect(problemsOf({ [name]: value }), name).toEqual([expect.stringContaining(`${name}: `)]);
    }
  });

  it('all wrong settings are reported at once, each by its name', () => {
    const problems = problemsOf({
      DATABASE_URL: 'mysql://localhost/x',
      PORT: '65536',
      LOG_LEVEL: 'loud',
      KEYWARD_ROOT_KEY: 'short',
      KEYWARD_SECRET_FILE: '/does/not/exist',
      KEYWARD_USAGE_FLUSH_MS: 'soon',
      KEYWARD_PREPARED_STATEMENTS: 'yes',
    });
    expect(problems.map((problem) => problem.split(':')[0])).toEqual([
      'DATABASE_URL',
      'KEYWARD_PREPARED_STATEMENTS',
      'KEYWARD_ROOT_KEY',
      'KEYWARD_SECRET_FILE',
      'KEYWARD_USAGE_FLUSH_MS',
      'LOG_LEVEL',
      'PORT',
    ]);
  });

  it('usage cannot be kept by hour for longer than by day', () => {
    const kept = { KEYWARD_USAGE_HOURS_KEPT_DAYS: '60', KEYWARD_USAGE_DAYS_KEPT_DAYS: '59' };
    expect(problemsOf(kept)).toEqual([
      'KEYWARD_USAGE_DAYS_KEPT_DAYS: must not be less than KEYWARD_USAGE_HOURS_KEPT_DAYS',
    ]);
    expect(problemsOf({ ...kept, KEYWARD_USAGE_DAYS_KEPT_DAYS: '60' })).toEqual([]);
  });

  it('a variable that begins with KEYWARD_ and is no setting is refused by its name', () => {
    expect(problemsOf({ KEYWARD_POOLSIZE: '5', KEYWARD_HOST_FILE: 'x' })).toEqual([
      'KEYWARD_HOST_FILE: is not a setting',
      'KEYWARD_POOLSIZE: is not a setting',
    ]);
  });

  it('the variables that Kubernetes sets for a Service called keyward are let through', () => {
    expect(
      problemsOf({
        KEYWARD_SERVICE_HOST: '10.0.0.1',
        KEYWARD_SERVICE_PORT_HTTP: '80',
        KEYWARD_PORT: 'tcp://10.0.0.1:80',
        KEYWARD_PORT_80_TCP_ADDR: '10.0.0.1',
        KEYWARD_POSTGRES_SERVICE_PORT: '5432',
      }),
    ).toEqual([]);
  });

  it('a wrong sensitive setting is reported without its value', () => {
    const secret = 'hunter2!';
    const message = problemsOf({
      DATABASE_URL: `mysql://user:${secret}@localhost/x`,
      KEYWARD_ROOT_KEY: secret,
      KEYWARD_SECRET: secret,
    }).join('\n');
    expect(message).toContain('DATABASE_URL');
    expect(message).not.toContain(secret);
  });

  it.each([
    ['PORT', 0, 65_535],
    ['KEYWARD_USAGE_FLUSH_MS', 0, 60_000],
    ['KEYWARD_ARGON2_MEMORY_KIB', 8192, 1_048_576],
    ['KEYWARD_ARGON2_ITERATIONS', 1, 20],
    ['KEYWARD_ARGON2_PARALLELISM', 1, 16],
    ['KEYWARD_CACHE_MIB', 1, 1_048_576],
    ['KEYWARD_POOL_SIZE', 2, 200],
    ['KEYWARD_SHUTDOWN_SECONDS', 1, 3600],
    ['KEYWARD_STALE_IF_ERROR_MS', 0, 3_600_000],
    ['KEYWARD_MAX_IN_FLIGHT', 1, 100_000],
    ['KEYWARD_LOG_VERIFY_PER_SECOND', 0, 1_000_000],
  ])('%s is a whole number from %i to %i', (name, least, most) => {
    for (const good of [least, least + 1, most]) {
      expect(problemsOf({ [name]: String(good) })).toEqual([]);
    }
    for (const bad of [least - 1, most + 1, `${least}.5`, 'x', '', ' ', `0x${least}`, 'Infinity']) {
      expect(problemsOf({ [name]: String(bad) })).toEqual([
        `${name}: must be a whole number from ${least} to ${most}`,
      ]);
    }
  });

  it.each([
    ['DATABASE_URL', 'postgres://user:pw@db.example:5432/keyward?sslmode=require', true],
    ['DATABASE_URL', 'postgresql:///keyward?host=/tmp', true],
    ['DATABASE_URL', 'db.example:5432', false],
    ['DATABASE_URL', '', false],
    ['HOST', '0.0.0.0', true],
    ['HOST', '::', true],
    ['HOST', '', false],
    ['KEYWARD_ROOT_KEY', KEY, true],
    ['KEYWARD_ROOT_KEY', 'A-z_9'.repeat(50), true],
    ['KEYWARD_ROOT_KEY', 'k'.repeat(31), false],
    ['KEYWARD_ROOT_KEY', 'k'.repeat(257), false],
    ['KEYWARD_ROOT_KEY', `${'k'.repeat(32)}\n`, false],
    ['KEYWARD_ROOT_KEY', 'k k'.repeat(20), false],
    ['KEYWARD_ROOT_KEY', '', false],
    ['KEYWARD_SECRET', 'any text, of 32 characters or more: é', true],
    ['KEYWARD_SECRET', 's'.repeat(31), false],
    ['KEYWARD_SECRET', 's'.repeat(1025), false],
    ['KEYWARD_SECRET', '', false],
    ['KEYWARD_PREPARED_STATEMENTS', 'off', true],
    ['KEYWARD_PREPARED_STATEMENTS', 'false', false],
    ['LOG_LEVEL', 'trace', true],
    ['LOG_LEVEL', 'TRACE', false],
  ])('%s may be %j: %s', (name, value, good) => {
    expect(problemsOf({ [name]: value }).length).toBe(good ? 0 : 1);
  });
});

describe('a sensitive setting from a file', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'keyward-config-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const file = (content: string) => {
    const path = join(folder, String(Math.random()));
    writeFileSync(path, content);
    return path;
  };

  it.each([
    ['DATABASE_URL', 'postgres://localhost/keyward'],
    ['KEYWARD_ROOT_KEY', KEY],
    ['KEYWARD_SECRET', `${KEY} with spaces `],
  ])('%s_FILE sets its setting, without the line end that editors add', (name, value) => {
    for (const end of ['', '\n', '\r\n']) {
      const { databaseUrl, rootKey, pepper } = readConfig({ [`${name}_FILE`]: file(value + end) });
      const isRootKey = rootKey?.isPresented(value) && value;
      const isSecret = pepper?.id === new Pepper(value).id && value;
      expect(databaseUrl ?? (isRootKey || isSecret)).toBe(value);
    }
  });

  it('a secret of spaces alone, or of few characters among spaces, is refused', () => {
    for (const text of [
      ' '.repeat(40),
      `${' '.repeat(20)}short${' '.repeat(20)}`,
      '\t'.repeat(32),
    ]) {
      expect(problemsOf({ KEYWARD_SECRET_FILE: file(text) })).toEqual([
        'KEYWARD_SECRET: must be 32 to 1024 characters',
      ]);
    }
  });

  it('the secrets that are read are taken out of the environment', () => {
    const environment = { KEYWARD_ROOT_KEY: KEY, KEYWARD_SECRET: KEY, KEYWARD_POOL_SIZE: '3' };
    readConfig(environment);
    expect(environment).toEqual({ KEYWARD_POOL_SIZE: '3' });
  });

  it('a setting from a file is checked like any other, and reported beside the rest', () => {
    const problems = problemsOf({ KEYWARD_ROOT_KEY_FILE: file('short'), PORT: 'x' });
    expect(problems.map((problem) => problem.split(':')[0])).toEqual(['KEYWARD_ROOT_KEY', 'PORT']);
  });

  it('a setting from a file is refused if it is also given directly', () => {
    const problems = problemsOf({ KEYWARD_SECRET: KEY, KEYWARD_SECRET_FILE: file(KEY) });
    expect(problems).toEqual(['KEYWARD_SECRET: is set twice, also as a file']);
  });

  it('a file that cannot be read is an error, never an absent setting', () => {
    const path = join(folder, 'absent');
    expect(problemsOf({ KEYWARD_SECRET_FILE: path })).toEqual([
      `KEYWARD_SECRET_FILE: cannot read ${path}`,
    ]);
    expect(problemsOf({ KEYWARD_SECRET_FILE: folder }).length).toBe(1);
    expect(problemsOf({ KEYWARD_SECRET_FILE: '' }).length).toBe(1);
    expect(problemsOf({ KEYWARD_SECRET_FILE: file('') }).length).toBe(1);
  });
});

describe('TLS in DATABASE_URL', () => {
  const read = (query: string) =>
    readConfig({ DATABASE_URL: `postgres://keyward:pass%2Bword@db/keyward?${query}` }).databaseUrl;

  it.each(['prefer', 'require', 'verify-ca'])(
    'sslmode=%s means verify-full, as the driver has it today',
    (mode) => {
      expect(read(`application_name=a&sslmode=${mode}&connect_timeout=1`)).toBe(
        'postgres://keyward:pass%2Bword@db/keyward?application_name=a&sslmode=verify-full&connect_timeout=1',
      );
      const libpq = `uselibpqcompat=true&sslmode=${mode === 'verify-ca' ? 'prefer' : mode}`;
      expect(read(libpq)).toMatch(libpq);
    },
  );

  it.each([
    ['sslmode=allow', 'sslmode must be one of'],
    ['sslmode=verify_full', 'sslmode must be one of'],
    ['sslmode=verify-full&sslrootcert=/nowhere/ca.pem', 'sslrootcert: cannot read /nowhere/ca.pem'],
    ['sslmode=verify-full&sslkey=/nowhere/key.pem', 'sslkey: cannot read /nowhere/key.pem'],
    ['uselibpqcompat=true&sslmode=verify-ca', 'sslmode=verify-ca needs sslrootcert'],
  ])('%s is refused with a sentence that names the mistake and not the password', (query, says) => {
    expect(() => read(query)).toThrow(says);
    expect(() => read(query)).not.toThrow('pass');
  });
});
