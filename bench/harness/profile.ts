import { readFile } from 'node:fs/promises';

interface Profile {
  nodes: { id: number; callFrame: { functionName: string; url: string; lineNumber: number } }[];
  samples: number[];
  timeDeltas: number[];
}

const SHOWN = 25;

/** Prints the functions in which a profiled process spent its own time, idle time left out. */
export async function printHotFunctions(file: string): Promise<void> {
  const profile: Profile = JSON.parse(await readFile(file, 'utf8'));
  const times = selfTimes(profile);
  times.delete('(idle)');
  const total = [...times.values()].reduce((sum, time) => sum + time, 0);
  const hottest = [...times].sort(([, a], [, b]) => b - a).slice(0, SHOWN);
  process.stdout.write(`\nself time of ${file}\n`);
  for (const [name, time] of hottest) {
    process.stdout.write(`  ${((time / total) * 100).toFixed(1).padStart(5)} %  ${name}\n`);
  }
}

function selfTimes({ nodes, samples, timeDeltas }: Profile): Map<string, number> {
  const names = new Map(nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]));
  const times = new Map<string, number>();
  for (const [index, id] of samples.entries()) {
    const name = names.get(id) ?? '';
    times.set(name, (times.get(name) ?? 0) + (timeDeltas[index] ?? 0));
  }
  return times;
}

function nameOf({ functionName, url, lineNumber }: Profile['nodes'][number]['callFrame']): string {
  const place = url && ` ${url.replace(/^.*\/(node_modules|src)\//, '')}:${lineNumber + 1}`;
  return `${functionName || '(anonymous)'}${place}`;
}
