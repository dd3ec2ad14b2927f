import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { checkout, runInTerminal } from '../support/checkout.ts';
import { blockMarked, withPorts } from '../support/code-blocks.ts';
import { freePort } from '../support/free-port.ts';
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
});
