import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { runInProcess } from '../support/command.ts';
import { runProgram, startProgram } from '../support/program.ts';
import { startTlsPostgres } from '../support/tls-postgres.ts';

const hasOpenssl = spawnSync('openssl', ['version']).status === 0;

it.skipIf(!hasOpenssl)(
  'TLS to Postgres is verified under every sslmode that asks for it, and each refusal is one sentence',
  { timeout: 240_000 },
  async () => {
    const postgres = await startTlsPostgres();
    const migrate = (parameters: Record<string, string>, change = (url: string) => url) =>
      runInProcess(['migrate'], { DATABASE_URL: change(postgres.url(parameters)) });
    const done = { code: 0, stderr: '' };
    const refused = (sentence: RegExp) => ({ code: 1, stderr: expect.stringMatching(sentence) });

    const untrusted = refused(
      /^keyward: The certificate of the database is not trusted \(\w+\); .*\n$/,
    );
    for (const sslmode of ['prefer', 'require', 'verify-ca', 'verify-full']) {
      expect(await migrate({ sslmode }), sslmode).toMatchObject(untrusted);
    }
    const trusted = { sslrootcert: postgres.ca };
    expect(await migrate({ sslmode: 'require', ...trusted })).toMatchObject(done);
    expect(await migrate({ sslmode: 'verify-full', ...trusted })).toMatchObject(done);
    expect(await migrate({ sslmode: 'no-verify' })).toMatchObject(done);
    expect(await migrate({ sslmode: 'disable' })).toMatchObject(done);
    const otherName = (url: string) => url.replace('127.0.0.1', 'localhost');
    expect(await migrate({ sslmode: 'verify-full', ...trusted }, otherName)).toMatchObject(
      refused(/^keyward: The certificate of the database is for another host name; .*\n$/),
    );
    const compatible = { uselibpqcompat: 'true', sslmode: 'require' };
    expect(await migrate(compatible)).toMatchObject(done);

    const settings = { DATABASE_URL: postgres.url({ sslmode: 'verify-full', ...trusted }) };
    const program = await startProgram(settings);
    expect((await fetch(`${program.url}/readyz`)).status).toBe(200);
    expect(await program.end('SIGTERM')).toEqual({ code: 0, signal: null });
    expect(program.stderr()).toBe('');
    expect(await runProgram({ DATABASE_URL: postgres.url({ sslmode: 'require' }) })).toMatchObject(
      untrusted,
    );
  },
);
