import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { bodyOf } from '../harness/calls.ts';
import { startPeer } from '../harness/program.ts';
import { log } from '../harness/results.ts';
import {
  type Case,
  measureInTurns,
  stopAll,
  type Target,
  VERIFY,
  type World,
  warmUp,
} from './case.ts';
import { targetOf } from './saturation.ts';

const KEYS = 1000;
const FOLDER = fileURLToPath(new URL('../peers/better-auth/', import.meta.url));

/**
 * Beside better-auth's API key plugin, on the same Postgres, 1000 keys each. The plugin is installed
 * into its own folder first.
 */
export const betterAuthCase: Case = {
  name: 'better-auth',
  table: 'better-auth',
  run: async (world) => {
    const targets = [
      await targetOf({ ...world, keys: world.keys.slice(0, KEYS) }),
      await start(world),
    ];
    await warmUp(world, targets);
    const rows = [];
    for (const connections of [1, 32]) {
      const measured = await measureInTurns(world, targets, { connections });
      rows.push(rowOf(connections, measured));
    }
    await stopAll(targets);
    return rows;
  },
};

async function start({ env }: World): Promise<Target> {
  install();
  await env.query('drop database if exists better_auth');
  await env.query('create database better_auth');
  const url = new URL(env.databaseUrl);
  url.pathname = '/better_auth';
  const server = await startPeer(`${FOLDER}server.mjs`, { DATABASE_URL: url.href });
  const keys: string[] = JSON.parse(await (await fetch(`${server.url}/keys`)).text());
  const bodies = keys.map(bodyOf);
  return { name: 'better-auth', server, path: VERIFY, authorization: 'none', bodies };
}

function install(): void {
  if (existsSync(`${FOLDER}node_modules`)) return;
  log('installing better-auth');
  const stdio: ['ignore', 'ignore', 'inherit'] = ['ignore', 'ignore', 'inherit'];
  const { status } = spawnSync('npm', ['ci', '--no-audit', '--no-fund'], { cwd: FOLDER, stdio });
  if (status !== 0) throw new Error(`npm ci failed in ${FOLDER}`);
}

function rowOf(connections: number, measured: Awaited<ReturnType<typeof measureInTurns>>) {
  const [own, peer] = measured;
  if (!own || !peer) throw new Error('both are measured');
  if (own.valid < own.requests || peer.valid < peer.requests) throw new Error('not all were valid');
  return {
    name: connections === 1 ? '1 connection' : `${connections} connections`,
    figures: {
      'Keyward, a second': own.requestsPerSecond,
      'p50 ms': own.p50Ms,
      'p99 ms': own.p99Ms,
      'better-auth, a second': peer.requestsPerSecond,
      'its p50 ms': peer.p50Ms,
      'its p99 ms': peer.p99Ms,
      ratio: own.requestsPerSecond / peer.requestsPerSecond,
    },
  };
}
