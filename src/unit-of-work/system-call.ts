import { randomUUID } from 'node:crypto';
import type { Actor } from '../domain/caller.ts';
import type { WriteCall } from './unit-of-work.ts';

/** A change that this process makes by itself: nobody asked for it, and nobody repeats it. */
export function systemCall(actor: Actor): WriteCall {
  const requestId = `system_${randomUUID()}`;
  return { caller: actor, actor, requestId, ip: null, idempotency: null };
}
