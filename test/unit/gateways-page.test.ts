import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const PAGE = readFileSync(join(ROOT, 'docs/gateways.md'), 'utf8');
const NO_GATEWAYS = ['compose', 'helm', 'image', 'observability', 'systemd'];

describe('docs/gateways.md', () => {
  it('leads to the page of every gateway in deploy/, and says of each whether it is tested as that page does', () => {
    const folders = readdirSync(join(ROOT, 'deploy')).filter((name) => !NO_GATEWAYS.includes(name));
    for (const folder of folders) {
      const row = PAGE.split('\n').find((line) => line.includes(`deploy/${folder}/README.md`));
      const readme = readFileSync(join(ROOT, 'deploy', folder, 'README.md'), 'utf8');
      const isTested = !/not tested\s+against\s+the\s+program/.test(readme);
      expect(row, folder).toMatch(isTested ? /\| tested against the program \|$/ : /; not tested/);
    }
  });

  it.each(['tested', 'documented'])(
    'has the results of the tests in its table “%s”, and none that failed',
    (marker) => {
      const [, table = ''] =
        new RegExp(`<!-- ${marker}: [^>]*-->\n(.*?)<!-- end -->`, 's').exec(PAGE) ?? [];
      const rows = table.split('\n').filter((line) => /^\| [^|]/.test(line));
      expect(rows.length).toBeGreaterThan(5);
      for (const row of rows) expect(row).toMatch(/✓ \d/);
      expect(table).not.toMatch(/✗|not installed/);
    },
  );
});
