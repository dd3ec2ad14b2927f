import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { temporaryFolder } from '../support/folder.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const runs = (program: string, ...args: string[]) => spawnSync(program, args).status === 0;

/** The one that is there: the plugin of docker, or the program of Debian. */
const COMPOSE = [['docker', 'compose'], ['docker-compose']].find(([program = '', ...args]) =>
  runs(program, ...args, 'version'),
);

/** Version 1 knows no secret that comes from the environment. */
const isFirst = COMPOSE ? /version 1\./.test(versionOf(COMPOSE[0] ?? '')) : false;

function versionOf(program: string): string {
  return spawnSync(program, ['--version'], { encoding: 'utf8' }).stdout;
}

const SETS = [
  ['docker-compose.yml'],
  ['docker-compose.yml', 'deploy/observability/docker-compose.observability.yml'],
  ['deploy/compose/cluster.yml'],
  ['deploy/compose/for-tests.yml'],
];

const NGINX = ['nginx', '/usr/sbin/nginx'].find((program) => runs(program, '-v')) ?? '';

interface Service {
  image: string;
  read_only?: boolean;
  cap_drop?: string[];
  security_opt?: string[];
  volumes?: string[];
}

const servicesOf = (file: string): Record<string, Service> =>
  parse(readFileSync(join(ROOT, file), 'utf8'), { merge: true }).services;

/** A .env with every name that scripts/make-env.sh makes. */
async function envFile(): Promise<string> {
  const script = readFileSync(join(ROOT, 'scripts/make-env.sh'), 'utf8');
  const [, names = ''] = /^for name in ([\s\S]*?); do$/m.exec(script) ?? [];
  const path = join(await temporaryFolder('keyward-env-'), '.env');
  await writeFile(path, (names.match(/\w+/g) ?? []).map((name) => `${name}=x\n`).join(''));
  return path;
}

describe('the compose files', () => {
  const known = SETS.filter(([, second = '']) => !(isFirst && second.includes('observability')));
  it.skipIf(!COMPOSE).each(known.map((set) => [set.join(' with ')]))(
    'compose accepts %s with the .env of make-env.sh',
    async (title) => {
      const [program = '', ...args] = COMPOSE ?? [];
      const files = title.split(' with ').flatMap((file) => ['--file', file]);
      const options = ['--env-file', await envFile(), ...files, 'config', '--quiet'];
      const { status, stderr } = spawnSync(program, [...args, ...options], {
        cwd: ROOT,
        encoding: 'utf8',
      });
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    },
  );

  it.skipIf(NGINX === '')(
    'nginx accepts the configuration of deploy/compose/cluster.yml',
    async () => {
      const folder = await temporaryFolder('keyward-nginx-');
      const text = readFileSync(join(ROOT, 'deploy/compose/cluster/nginx.conf'), 'utf8');
      const here = text.replaceAll(/keyward-(\d):8080/g, '127.0.0.1:1808$1');
      await writeFile(join(folder, 'nginx.conf'), `pid ${folder}/pid;\n${here}`);
      const args = ['-t', '-q', '-e', 'stderr', '-p', folder, '-c', join(folder, 'nginx.conf')];
      const { status, stderr } = spawnSync(NGINX, args, { encoding: 'utf8' });
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    },
  );

  it('every instance of the compose files for real use is read-only, without capabilities and new privileges', () => {
    for (const file of ['docker-compose.yml', 'deploy/compose/cluster.yml']) {
      const own = Object.values(servicesOf(file)).filter(({ image }) => image === 'keyward');
      expect(own.length).toBeGreaterThan(1);
      for (const service of own) {
        expect(service).toMatchObject({
          read_only: true,
          cap_drop: ['ALL'],
          security_opt: ['no-new-privileges:true'],
        });
      }
    }
  });

  it('every file that deploy/compose mounts is there, and every file that is there is mounted', () => {
    const files = ['cluster.yml', 'for-tests.yml'].map((name) => `deploy/compose/${name}`);
    const mounted = files.flatMap((file) =>
      Object.values(servicesOf(file)).flatMap(({ volumes = [] }) =>
        volumes.filter((volume) => volume.startsWith('./')),
      ),
    );
    const there = readdirSync(join(ROOT, 'deploy/compose'), { recursive: true, encoding: 'utf8' });
    expect([...new Set(mounted.map((volume) => volume.split(':')[0]))].sort()).toEqual(
      there
        .filter((name) => /\.(sql|sh|conf|jsonl)$/.test(name))
        .map((name) => `./${name}`)
        .sort(),
    );
  });
});
