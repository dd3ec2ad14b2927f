import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { startEmbeddedPostgres } from '../../src/embedded-postgres/postgres.ts';
import { temporaryFolder } from './folder.ts';

export interface TlsPostgres {
  /** The file of the CA that signed its certificate, which is for 127.0.0.1 alone. */
  ca: string;
  /** With these parameters in place of its own. */
  url: (parameters: Record<string, string>) => string;
}

/** A Postgres on loopback with a certificate of a CA that nobody trusts yet. */
export async function startTlsPostgres(): Promise<TlsPostgres> {
  const folder = await temporaryFolder('keyward-tls-');
  const [ca, cert, key] = makeCertificates(folder);
  // TLS needs TCP, which a path that is too long for a socket leads to.
  const directory = join(folder, 'x'.repeat(100));
  await mkdir(directory);
  const settings = { ssl: 'on', ssl_cert_file: cert, ssl_key_file: key };
  const server = await startEmbeddedPostgres({ directory, durable: false, settings });
  onTestFinished(() => server.stop());
  const url = (parameters: Record<string, string>) => {
    const own = new URL(server.url);
    own.hostname = own.searchParams.get('host') ?? '';
    own.search = new URLSearchParams(parameters).toString();
    return own.href;
  };
  return { ca, url };
}

/** The files of a CA, and of a certificate that it signed, with its key. */
function makeCertificates(folder: string): [ca: string, cert: string, key: string] {
  const openssl = (...args: string[]) =>
    execFileSync('openssl', args, { cwd: folder, stdio: ['ignore', 'ignore', 'ignore'] });
  const make = ['req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  openssl(...make, '-x509', '-days', '2', '-subj', '/CN=ca', '-keyout', 'ca.key', '-out', 'ca.pem');
  openssl(...make, '-subj', '/CN=server', '-keyout', 'server.key', '-out', 'server.csr');
  writeFileSync(join(folder, 'names'), 'subjectAltName=IP:127.0.0.1\n');
  const signed = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2'];
  openssl(
    'x509',
    '-req',
    '-in',
    'server.csr',
    ...signed,
    '-extfile',
    'names',
    '-out',
    'server.pem',
  );
  return [join(folder, 'ca.pem'), join(folder, 'server.pem'), join(folder, 'server.key')];
}
