import { OperatorError } from '../lib/operator-error.ts';

/** The embedded Postgres cannot be used; the message says what to do. */
export class EmbeddedPostgresError extends OperatorError {
  override name = 'EmbeddedPostgresError';
}

/** Another Keyward uses the directory. */
export class DirectoryInUseError extends EmbeddedPostgresError {
  override name = 'DirectoryInUseError';
}

/** The `code` of a system or Postgres error: `ENOENT`, `57P03`. */
export function errorCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The line in which programs say why they failed. */
export function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}
