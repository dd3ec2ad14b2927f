// Reads objects of Kubernetes as a JSON array from stdin, and prints what is wrong with them as another:
// values that the models refuse, and what does not fit their types, such as fields that they do not have.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

const OF_GROUP = { 'monitoring.coreos.com': '@kubernetes-models/prometheus-operator' };
// Where the models are found, and no other program looks.
const SCRATCH = fileURLToPath(new URL('./node_modules/.rendered/', import.meta.url));
const STRICT =
  '--ignoreConfig --noEmit --strict --skipLibCheck --module preserve --moduleResolution bundler --target esnext --types ';

const modelOf = ({ apiVersion, kind }) =>
  `${OF_GROUP[apiVersion.split('/')[0]] ?? 'kubernetes-models'}/${apiVersion}/${kind}`;

async function problemOf(object) {
  try {
    const { [object.kind]: Model } = await import(modelOf(object));
    new Model(object).validate();
    return null;
  } catch (error) {
    return `${object.kind} ${object.metadata?.name}: ${error.message}`;
  }
}

/** A literal may have no field that its type lacks, at any depth. */
function excessOf(objects) {
  const lines = objects.map(
    (object, index) =>
      `import type { I${object.kind} as I${index} } from '${modelOf(object)}';\n` +
      `export const o${index}: I${index} = ${JSON.stringify(object)};\n`,
  );
  mkdirSync(SCRATCH, { recursive: true });
  const folder = mkdtempSync(SCRATCH);
  writeFileSync(`${folder}/objects.ts`, lines.join(''));
  const { stdout } = spawnSync('tsc', [...STRICT.split(' '), 'objects.ts'], {
    cwd: folder,
    encoding: 'utf8',
  });
  rmSync(folder, { recursive: true });
  return stdout.split('\n').filter((line) => line.includes('error TS'));
}

const objects = JSON.parse(await text(process.stdin));
const problems = (await Promise.all(objects.map(problemOf))).filter((problem) => problem !== null);
process.stdout.write(
  JSON.stringify([...problems, ...(problems.length > 0 ? [] : excessOf(objects))]),
);
