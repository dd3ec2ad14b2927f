import { DrizzleQueryError } from 'drizzle-orm';
import { OperatorError } from '../lib/operator-error.ts';
import { isUnavailable, sqlState } from './errors.ts';

/** The database cannot be used; the message says what to do. */
export class DatabaseUnreachableError extends OperatorError {
  override name = 'DatabaseUnreachableError';
}

/** A replica, or a primary that was made read-only. */
export class ReadOnlyDatabaseError extends OperatorError {
  override name = 'ReadOnlyDatabaseError';

  constructor() {
    super(
      'The database in DATABASE_URL is read-only, such as a replica; Keyward needs the primary.',
    );
  }
}

/** Also what a replica answers about UNLOGGED tables, which it does not have. */
const READ_ONLY = new Set(['25006', '0A000']);

const REFUSALS: Record<string, string> = {
  '28P01': 'The database refused the password in DATABASE_URL.',
  '28000':
    'The database refused the user in DATABASE_URL, or the way in which it connects (pg_hba.conf); if it demands TLS, see docs/tls-to-postgres.md.',
  '3D000': 'The database named in DATABASE_URL does not exist; create it first.',
  '42501':
    'The user in DATABASE_URL lacks rights on the tables; run `keyward grants ROLE --apply` for it as their owner.',
};

/** Turns what the operator can put right into one sentence; any other error is returned as it is. */
export function explainDatabase(error: unknown): unknown {
  if (READ_ONLY.has(sqlState(error) ?? '')) return new ReadOnlyDatabaseError();
  const sentence = explainTls(error) ?? REFUSALS[sqlState(error) ?? ''];
  if (sentence) return new DatabaseUnreachableError(sentence);
  return isUnavailable(error) ? unreachable(error) : error;
}

const NO_TLS = /^The server does not support SSL connections/;
const OTHER_NAME = 'ERR_TLS_CERT_ALTNAME_INVALID';
const TLS_CODE =
  /^(CERT_|ERR_TLS_|ERR_SSL_|ERR_OSSL_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|EPROTO$|HOSTNAME_MISMATCH$)/;

/** What `sslmode` in DATABASE_URL asks for and the server does not offer or prove. */
function explainTls(error: unknown): string | undefined {
  const cause = error instanceof DrizzleQueryError ? error.cause : error;
  if (!(cause instanceof Error)) return undefined;
  if (NO_TLS.test(cause.message)) {
    return 'DATABASE_URL asks for TLS (sslmode), which the database does not offer; enable it there, or use sslmode=disable on a network that you trust.';
  }
  const code = sqlState(cause) ?? '';
  if (code === OTHER_NAME) {
    return 'The certificate of the database is for another host name; name the host in DATABASE_URL as the certificate does (docs/tls-to-postgres.md).';
  }
  return TLS_CODE.test(code)
    ? `The certificate of the database is not trusted (${code}); name its CA file in DATABASE_URL: sslmode=verify-full&sslrootcert=/path/to/ca.pem (docs/tls-to-postgres.md).`
    : undefined;
}

function unreachable(error: unknown): DatabaseUnreachableError {
  const code = sqlState(error) ?? 'no answer';
  return new DatabaseUnreachableError(
    `The database in DATABASE_URL cannot be reached (${code}); check its host, port and network.`,
  );
}
