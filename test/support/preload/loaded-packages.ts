import { createRequire } from 'node:module';

/** Prints at the end which packages of OpenTelemetry the program has loaded. */
const { cache } = createRequire(import.meta.url);
process.on('exit', () => {
  const found = Object.keys(cache).flatMap((path) => path.match(/@opentelemetry\/[\w-]+/) ?? []);
  process.stderr.write(`loaded: ${[...new Set(found)].sort().join() || 'none'}\n`);
});
