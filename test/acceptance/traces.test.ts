import { expect, it } from 'vitest';
import { startCollector } from '../support/collector.ts';
import { dataFolder } from '../support/data-folder.ts';
import { startProgram } from '../support/program.ts';

const PRELOAD = new URL('../support/preload/loaded-packages.ts', import.meta.url).href;

/** Without an implementation it does nothing; prom-client requires it. */
const INTERFACE = '@opentelemetry/api';

/** What the program loaded of OpenTelemetry while it answered and stopped. */
async function loadedWith(settings: Record<string, string>): Promise<string> {
  const program = await startProgram({
    KEYWARD_DATA_DIR: await dataFolder(),
    NODE_OPTIONS: `--import ${PRELOAD}`,
    ...settings,
  });
  await fetch(`${program.url}/livez`);
  expect(await program.end('SIGTERM')).toEqual({ code: 0, signal: null });
  return /loaded: (.*)/.exec(program.stderr())?.[1] ?? '';
}

it('without the settings of OpenTelemetry no module of it is loaded but the interface that prom-client requires, and with them spans are exported by the time the program ends', {
  timeout: 90_000,
}, async () => {
  expect(await loadedWith({})).toBe(INTERFACE);
  const collector = await startCollector();
  const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url };
  expect(await loadedWith({ ...endpoint, OTEL_SDK_DISABLED: 'true' })).toBe(INTERFACE);
  expect(collector.received).toEqual([]);
  const named = { ...endpoint, OTEL_SERVICE_NAME: 'keys', OTEL_RESOURCE_ATTRIBUTES: 'team=a' };
  expect(await loadedWith(named)).toContain('@opentelemetry/sdk-trace-base');
  expect(collector.spans().map(({ name }) => name)).toContain('GET /livez');
  expect(collector.received.join()).toContain('"stringValue":"keys"');
});
