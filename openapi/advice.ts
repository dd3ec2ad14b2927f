import type { VerdictCode } from '../src/domain/verdict.ts';
import type { ErrorCode } from '../src/errors.ts';

/** What to do about each error, for docs/reference/errors.md. A code without advice does not compile. */
export const ERROR_ADVICE: Record<ErrorCode, string> = {
  INVALID_REQUEST: 'Correct the fields that `errors` points at.',
  MALFORMED_JSON: 'Send valid JSON, without a name twice in one object.',
  INVALID_CURSOR:
    'Begin the list again without `cursor`; keep filters and sort order while paging.',
  CONTAINS_KEY:
    'Take the key string out of the name, note or metadata; it would be stored readable.',
  KEY_WITH_SCHEME: 'Send the key alone, without `Bearer`.',
  UNAUTHENTICATED: 'Send a management key that exists and has not ended.',
  GATEWAY_UNAUTHENTICATED: "Correct the gateway's own credential; its client cannot cause this.",
  FORBIDDEN: 'Use a management key with the permission that the call requires.',
  WORKSPACE_SUSPENDED: 'Resume the workspace first, with a management key for all workspaces.',
  UPGRADE_REQUIRED: 'Set `apiAccess` of the workspace, or offer the customer a plan that has it.',
  NOT_FOUND: 'Check the id, and that the management key may see its workspace.',
  ROUTE_NOT_FOUND: 'Check the path.',
  METHOD_NOT_ALLOWED: 'Use one of the methods in `Allow`.',
  REQUEST_TIMEOUT: 'Send the headers within 10 seconds and the request within 30, then repeat.',
  MALFORMED_HTTP: 'Use an HTTP library; look at what a proxy does to the request.',
  EXPECTATION_FAILED: 'Send no `Expect` header but `100-continue`.',
  HEADERS_TOO_LARGE: 'Send fewer headers: a gateway leaves cookies out.',
  KEY_REVOKED: 'Create another key.',
  KEY_EXPIRED: 'Move `expiresAt` first, or create another key.',
  KEY_IMMUTABLE: 'Create another key; or lift `immutableKeys` of the workspace.',
  KEY_LIMIT_REACHED:
    'Revoke or delete keys that nobody needs, or raise `maxActiveKeys` or `maxKeys`.',
  WEBHOOK_LIMIT_REACHED: 'Delete a webhook, or let one take more types.',
  WEBHOOK_DISABLED: 'Enable the webhook, then repeat.',
  WEBHOOKS_NEED_SECRET: 'Set `KEYWARD_SECRET` and restart.',
  CREDITS_UNLIMITED: 'Give the key `credits` by a `PATCH`, or leave them unlimited.',
  ROTATION_UNDER_WAY: 'End the grace with `DELETE …/retiring-secret`, or send `supersede: true`.',
  DEFAULT_WORKSPACE: 'Suspend it instead, or delete its keys.',
  WORKSPACE_DELETION_UNDER_WAY: 'Wait some minutes, then repeat.',
  TOO_MANY_KEYS: 'Revoke by `ids`, 1000 at a time.',
  TOO_MANY_EVENTS: 'Send the range in shorter ones.',
  IDEMPOTENCY_IN_FLIGHT: 'Wait a moment and repeat with the same `Idempotency-Key`.',
  PRECONDITION_FAILED: 'Read again, compare, repeat with the new `ETag`.',
  BODY_TOO_LARGE: 'Send less at once; `detail` names the limit of the call.',
  UNSUPPORTED_MEDIA_TYPE: 'Send `Content-Type: application/json`, in UTF-8.',
  IDEMPOTENCY_MISMATCH: 'Use a new `Idempotency-Key` for another call or payload.',
  AUDIT_LIMIT_REACHED: 'The operator raises `maxAuditEvents`, or drops old entries.',
  TOO_MANY_REQUESTS: 'Wait for `Retry-After`, then repeat; nothing was consumed.',
  INTERNAL: 'A bug: report it with its `requestId`.',
  OVERLOADED: 'Wait for `Retry-After`, then repeat; nothing was consumed.',
  QUERY_TOO_BROAD: 'Narrow the filters.',
  TIMED_OUT: 'Wait for `Retry-After`, then repeat, changes with their `Idempotency-Key`.',
  UNAVAILABLE: 'Wait for `Retry-After`, then repeat, changes with their `Idempotency-Key`.',
};

interface VerdictAdvice {
  /** What a gateway answers its client with. */
  status: 200 | 401 | 403 | 429;
  meaning: string;
  advice: string;
}

/** Each verdict for people, for docs/reference/verdicts.md. */
export const VERDICT_ADVICE: Record<VerdictCode, VerdictAdvice> = {
  NOT_FOUND: {
    status: 401,
    meaning:
      'No key of the workspaces that were asked about has this string: it is malformed, unknown, deleted, or was ended by a rotation.',
    advice: 'Look for a typo or an old string: `POST /v1/keys/find` says what became of it.',
  },
  REVOKED: {
    status: 401,
    meaning: 'The key was revoked, which is final.',
    advice: 'Give the holder another key.',
  },
  WORKSPACE_SUSPENDED: {
    status: 403,
    meaning: 'The workspace of the key is suspended.',
    advice: 'Resume the workspace; its keys are as they were.',
  },
  DISABLED: {
    status: 401,
    meaning: 'The key is switched off.',
    advice: '`PATCH` it with `{"enabled": true}`.',
  },
  NOT_YET_VALID: {
    status: 401,
    meaning: '`notBefore` is ahead.',
    advice: 'Wait, or move `notBefore`.',
  },
  EXPIRED: {
    status: 401,
    meaning: '`expiresAt` has passed.',
    advice: 'Move `expiresAt`, or give the holder another key.',
  },
  IP_NOT_ALLOWED: {
    status: 403,
    meaning:
      'The key has `allowedIps`, and the `ip` of the request is none of them or was not given.',
    advice: "Send the client's address as `ip`; add its network to the key.",
  },
  INSUFFICIENT_SCOPE: {
    status: 403,
    meaning: 'A scope that the request requires is not granted; `missingScopes` names it.',
    advice: 'Grant the scope, or require another one.',
  },
  RESOURCE_NOT_ALLOWED: {
    status: 403,
    meaning:
      'The key lists `resources`, and the one of the request is none of them, or the workspace requires one and none was given.',
    advice: 'Add the resource to the key, or send `resource`.',
  },
  RATE_LIMITED: {
    status: 429,
    meaning:
      'A rate limit of the key would be exceeded; in `rateLimits` it is `exceeded`. Nothing was consumed.',
    advice: 'The holder waits until `resetAt`; or raise the limit.',
  },
  CREDITS_EXHAUSTED: {
    status: 429,
    meaning: 'Fewer credits are left than the request costs. Nothing was consumed.',
    advice: 'Add credits, or wait for the refill.',
  },
  VALID: {
    status: 200,
    meaning: 'Every check passed; the cost is consumed.',
    advice: 'Go on: `keyId`, `ownerId`, `scopes` and `metadata` say for whom.',
  },
};
