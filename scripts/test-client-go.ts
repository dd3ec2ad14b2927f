import { find, runClientSuite } from './client-suite.ts';

/** Tests clients/go against a started Keyward, with the Go that KEYWARD_TEST_GO names or the PATH has. */
const go = process.env.KEYWARD_TEST_GO ?? find('go');

if (go) {
  process.env.GOFLAGS ??= '-mod=mod';
  process.env.GOPROXY ??= 'off';
  await runClientSuite('go', [
    [go, 'version'],
    [
      'sh',
      '-c',
      `unformatted=$(${go} run cmd/gofmt -l .); echo "$unformatted"; test -z "$unformatted"`,
    ],
    [go, 'vet', './...'],
    [go, 'test', '-count=1', './...'],
  ]);
} else {
  process.stdout.write(
    'Go is not installed: the tests of clients/go are SKIPPED (Debian: apt-get install golang-go).\n',
  );
}
