import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { untilListening } from '../support/listening.ts';

const TEMPORARY = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];

export interface Nginx {
  end: () => Promise<void>;
}

/** Starts the program on `site.conf` in the folder, which listens on this port. */
export async function startNginx(program: string, folder: string, port: number): Promise<Nginx> {
  await mkdir(join(folder, 'temp'), { recursive: true });
  await writeFile(join(folder, 'nginx.conf'), frame(folder));
  const child = spawn(program, ['-p', folder, '-c', join(folder, 'nginx.conf')], {
    stdio: ['ignore', 'ignore', 'pipe'],
    // Ctrl-C must not reach it before what it serves has ended.
    detached: true,
  });
  const ended = once(child, 'close');
  await untilListening(child, port);
  const end = async () => {
    child.kill('SIGTERM');
    await ended;
  };
  return { end };
}

/** What a distribution's nginx.conf has around the sites. */
function frame(folder: string): string {
  const paths = TEMPORARY.map((kind) => `${kind}_temp_path ${folder}/temp/${kind};`);
  return `daemon off; worker_processes 2; pid ${folder}/pid; error_log stderr error;
    ${process.getuid?.() === 0 ? 'user root;' : ''}
    events { worker_connections 1024; }
    http { access_log off; ${paths.join(' ')} include ${folder}/site.conf; }`;
}
