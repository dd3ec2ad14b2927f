import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { checkout, runInTerminal } from '../support/checkout.ts';
import { blockMarked, withPorts } from '../support/code-blocks.ts';
import { temporaryFolder } from '../support/folder.ts';
import { freePort } from '../support/free-port.ts';
import { launchProgram } from '../support/program.ts';
import { runScript } from '../support/script.ts';

const README = await readFile(new URL('../../README.md', import.meta.url), 'utf8');
const [service, protect, revoke] = ['service', 'protect', 'revoke'].map((name) =>
  blockMarked(README, `quick start: ${name}`),
);

/** The commands of a block: without comments and what is typed into a file, continued lines joined. */
function commandsOf(block = ''): string[] {
  const typed = block.replaceAll(/(<<'(\w+)')\n.*?\n\2$/gms, '$1').replaceAll(/\\\n/g, '');
  return typed.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('#'));
}

describe('the README', { timeout: 120_000 }, () => {
  it('an API is protected with less than ten commands of the README', () => {
    expect(commandsOf(service)).toEqual(['npm ci', 'npm start']);
    expect([...commandsOf(service), ...commandsOf(protect)].length).toBeLessThan(10);
  });

  it('the quick start of the README works as written, line by line: an API is protected, and a revoked key refused', async () => {
    const folder = await checkout();
    const { port } = await runInTerminal('npm start', folder);
    const ports = { 8080: port, 3000: await freePort() };
    const { stdout } = await runScript(withPorts(`${protect}${revoke}`, ports), folder);
    expect(stdout).toBe('NOT_FOUND\nHello ada\nREVOKED\n');
  });

  it('the API of the README answers 503, and goes on, if an answer of Keyward is cut off or is none', async () => {
    const answers = [
      '200 OK\r\nContent-Length: 99\r\n\r\n{"valid":',
      '200 OK\r\n\r\n<html>',
      '500 No\r\n\r\n{}',
    ];
    const keyward = createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => socket.end(`HTTP/1.1 ${answers.shift()}`));
    });
    const port = await freePort();
    await once(keyward.listen(port, '127.0.0.1'), 'listening');
    onTestFinished(() => void keyward.close());
    const api = await freePort();
    const [, code = ''] = /<<'API'\n(.*?)\nAPI\n/s.exec(protect ?? '') ?? [];
    const file = join(await temporaryFolder('keyward-readme-'), 'api.mjs');
    await writeFile(file, withPorts(code, { 8080: port, 3000: api }));
    const program = launchProgram({}, { command: ['node', file] });
    const ask = () => fetch(`http://127.0.0.1:${api}/`);
    const first = await vi.waitFor(ask, { timeout: 20_000 });
    const statuses = [first.status, (await ask()).status, (await ask()).status];
    expect(statuses).toEqual([503, 503, 503]);
    expect(answers).toEqual([]);
    expect(program.stderr()).toBe('');
  });
});
