import type { Schemas } from '../api-types.ts';
import { fromLocal } from '../local-time.ts';

const DAY_MS = 86_400_000;

/** What the form has, as text. */
export interface KeyForm {
  name: string;
  description: string;
  ownerId: string;
  /** Separated by spaces. */
  scopes: string;
  expiry: string;
  /** Of the reader's clock, where `expiry` is `custom`. */
  expiresAt: string;
  limit: string;
  /** In seconds. */
  window: string;
  credits: string;
  /** One a line. */
  allowedIps: string;
}

export const EXPIRIES: readonly { value: string; text: string; days: number | null }[] = [
  { value: '1', text: 'In a day', days: 1 },
  { value: '7', text: 'In a week', days: 7 },
  { value: '30', text: 'In 30 days', days: 30 },
  { value: '90', text: 'In 90 days', days: 90 },
  { value: '365', text: 'In a year', days: 365 },
  { value: 'never', text: 'Never', days: null },
];

export function emptyKeyForm(): KeyForm {
  return {
    name: '',
    description: '',
    ownerId: '',
    scopes: '',
    expiry: '90',
    expiresAt: '',
    limit: '',
    window: '60',
    credits: '',
    allowedIps: '',
  };
}

/** The time that the form means, in UTC; null: never, or not said yet. */
export function expiryOf({ expiry, expiresAt }: KeyForm, now = Date.now()): string | null {
  if (expiry === 'never') return null;
  if (expiry === 'custom') return fromLocal(expiresAt);
  const at = new Date(now + Number(expiry) * DAY_MS);
  at.setUTCSeconds(0, 0);
  return at.toISOString();
}

/** What is asked of the API: fields that are empty are left out. */
export function requestOf(form: KeyForm, workspaceId: string): Schemas['CreateKeyRequest'] {
  const words = (text: string) => text.split(/[\s,]+/).filter((word) => word !== '');
  const expiresAt = expiryOf(form);
  const allowedIps = words(form.allowedIps);
  return {
    workspaceId,
    name: form.name,
    ...(form.description.trim() !== '' && { description: form.description }),
    ...(form.ownerId.trim() !== '' && { ownerId: form.ownerId }),
    scopes: words(form.scopes),
    ...(expiresAt && { expiresAt }),
    ...(form.limit !== '' && {
      rateLimits: [
        { name: 'requests', limit: Number(form.limit), windowSeconds: Number(form.window) },
      ],
    }),
    ...(form.credits !== '' && { credits: { remaining: Number(form.credits) } }),
    ...(allowedIps.length > 0 && { allowedIps }),
  };
}
