import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../support/free-port.ts';
import { untilListening } from '../support/listening.ts';

/** Where things are on this machine. */
export interface Addresses {
  keyward: string;
  api: string;
  port: number;
  /** A proxy in front of the gateway, which may say who the client is. */
  trustedProxy?: string;
}

export interface Installation {
  args: readonly string[];
  env: Record<string, string>;
}

/** A program that runs with the files of deploy/, changed in their addresses alone. */
export interface GatewayProgram {
  name: string;
  /** Empty if it is not installed. */
  path: string;
  /** What a client gets while Keyward cannot be reached. */
  statusWithoutKeyward: number;
  install: (folder: string, managementKey: string, at: Addresses) => Promise<Installation>;
}

export interface RunningGateway {
  port: number;
  end: () => Promise<void>;
}

export async function startGateway(
  program: GatewayProgram,
  managementKey: string,
  at: Omit<Addresses, 'port'>,
): Promise<RunningGateway> {
  const folder = await mkdtemp(join(await realpath(tmpdir()), 'keyward-gateway-'));
  const port = await freePort();
  const { args, env } = await program.install(folder, managementKey, { ...at, port });
  const child = spawn(program.path, args, {
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const ended = once(child, 'close');
  const end = async () => {
    child.kill('SIGTERM');
    await ended;
    await rm(folder, { recursive: true, force: true });
  };
  await untilListening(child, port).catch(async (error) => {
    await end();
    throw error;
  });
  return { port, end };
}

/** Changes a file of deploy/ in exactly one place. */
export function replaceOnce(text: string, from: string, to: string): string {
  const parts = text.split(from);
  if (parts.length !== 2) throw new Error(`${from} occurs ${parts.length - 1} times, not once`);
  return parts.join(to);
}
