import { expect, it } from 'vitest';
import { describeGateways } from './describe-gateways.ts';
import { createWeakKey } from './expectations.ts';
import { decode, readingsOf } from './path-readings.ts';

/** What the weak key may not reach. */
const isForbidden = (path: string) => /^\/(orders|projects\/(?!alpha(\/|$)))/i.test(path);

const PATHS = [
  ...String.raw`
    / // * /keys /100%/x /orders /projects
    /reports/100%/x /reports/% /reports/%zz /reports/%00
    /reports/caf%e9 /reports/%e5%ae%a2 /reports/a%20b /reports/a;b=c
    //orders/7 /./orders/7 /reports/../orders/7 /reports//..//orders/7
    /reports/..%2forders/7 /reports%2f..%2forders/7 /reports/%2e%2e/orders/7
    /reports/%252e%252e/orders/7 /reports/..;/orders/7 /reports/..;a=b/orders/7
    /reports/.%2e;/orders/7 /reports/..%3b/orders/7
    /reports\..\orders\7 /reports/..\orders\7 /reports/%5c..%5c..%5corders/7
    /ORDERS/7 /%6frders/7 /orders%2f7 /orders;x/7
    /projects/beta /Projects/beta /projects//beta /projects/%62eta
    /projects/alpha/../beta /projects/alpha/..%2fbeta /projects/alpha/..;/beta
    /projects/alpha;x /projects/alpha%3b%20cost=0 /projects/alpha%0d%0ax-keyward-cost:0
  `
    .trim()
    .split(/\s+/),
  `/reports/${'long/'.repeat(1400)}`,
  `/orders/${'long/'.repeat(1400)}`,
  `/reports/${'long/'.repeat(6000)}`,
  `/reports/x?${'long='.repeat(6000)}`,
];

describeGateways(({ name, fixture }) => {
  it.each(PATHS.map((path) => [path.slice(0, 60), path] as const))(
    `${name} lets no path through to what its key may not reach: %s`,
    async (_, path) => {
      const { key } = await createWeakKey(fixture());
      for (const method of ['GET', 'POST']) {
        const { status } = await fixture().sendWith(key, path, { method });
        expect(status).toBeLessThan(500);
        const forbidden = fixture()
          .received.splice(0)
          .flatMap(({ url = '' }) => readingsOf(url).filter(isForbidden));
        expect(forbidden).toEqual([]);
      }
    },
  );

  it(`${name} lets a request whose line has the whole URL through as one with its path`, async () => {
    const { key } = await fixture().createKey({ scopes: ['orders:read'] });
    const { key: weak } = await createWeakKey(fixture());
    for (const host of ['api.example.com', 'evil.example']) {
      const url = `http://${host}/orders/7`;
      const { status } = await fixture().sendWith(weak, url);
      expect(fixture().received).toEqual([]);
      // A gateway may also refuse a URL of another host than the header names.
      if (host === 'evil.example' && status === 400) continue;
      expect(status).toBe(403);
      expect((await fixture().sendWith(key, url)).status).toBe(200);
      const reached = new URL(fixture().received.pop()?.url ?? '', 'http://api.example.com');
      expect(reached.pathname).toBe('/orders/7');
    }
  });

  it(`${name} lets a path through as it was judged, and what no location names not at all`, async () => {
    const { key } = await fixture().createKey({ scopes: ['orders:*', 'projects:read'] });
    for (const path of ['/orders/7?a=%2f', '/reports/caf%e9?x', '/projects/alpha/a%20b']) {
      expect((await fixture().sendWith(key, path)).status).toBe(200);
      expect(decode(fixture().received.pop()?.url ?? '')).toBe(decode(path));
    }
    // Frameworks have taken the path from these.
    const names = ['X-Original-Url', 'X-Rewrite-Url', 'X_Original_Url', 'X_Rewrite_Url'];
    const headers = names.map((header): [string, string] => [header, '/orders/7']);
    expect((await fixture().sendWith(key, '/reports/1', { headers })).status).toBe(200);
    expect(Object.values(fixture().received.pop()?.headers ?? {})).not.toContain('/orders/7');
    for (const path of ['/', '/others/7', '/orderss/7', '/projects/']) {
      expect((await fixture().sendWith(key, path)).status).toBe(404);
    }
    expect(fixture().received).toEqual([]);
  });
});
