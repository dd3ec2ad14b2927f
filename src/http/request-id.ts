import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { KeyDetector } from './key-detector.ts';
import { REQUEST_ID_PATTERN } from './schemas.ts';

const REQUEST_ID = new RegExp(REQUEST_ID_PATTERN);

export type RequestIdGenerator = (request: Pick<IncomingMessage, 'headers'>) => string;

/** Takes the caller's request id if it is safe to log, else generates one. */
export function requestIdGenerator(keyDetector: KeyDetector): RequestIdGenerator {
  const process = randomBytes(4).toString('hex');
  let count = 0;
  const isSafeToLog = (id: string) => REQUEST_ID.test(id) && !keyDetector.isContainedIn(id);
  return ({ headers }) => {
    const requested = headers['x-request-id'];
    if (typeof requested === 'string' && isSafeToLog(requested)) return requested;
    return `req_${process}-${(count++).toString(36)}`;
  };
}
