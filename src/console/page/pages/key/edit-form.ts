import type { Key, Schemas } from '../../api-types.ts';
import { changedParts, type Part } from '../../conflict.ts';
import { fromLocal, toLocal } from '../../local-time.ts';
import { windowText } from '../../words.ts';

type Update = Schemas['UpdateKeyRequest'];

export interface LimitRow {
  name: string;
  limit: string;
  windowSeconds: string;
}

/** The fields of a key that can be changed, as text. */
export interface EditForm {
  name: string;
  description: string;
  ownerId: string;
  scopes: string;
  /** Whether any is allowed, or those alone that are listed. */
  resourcesAre: string;
  resources: string;
  addressesAre: string;
  addresses: string;
  notBefore: string;
  expiresAt: string;
  rateLimits: readonly LimitRow[];
  creditsAre: string;
  /** Of credits that were not limited so far. */
  balance: string;
  refill: string;
  refillAmount: string;
  refillDay: string;
  metadata: string;
}

export function formOf(key: Key): EditForm {
  const { resources, allowedIps, credits } = key;
  return {
    name: key.name,
    description: key.description ?? '',
    ownerId: key.ownerId ?? '',
    scopes: key.scopes.join(' '),
    resourcesAre: resources ? 'listed' : 'any',
    resources: (resources ?? []).join('\n'),
    addressesAre: allowedIps ? 'listed' : 'any',
    addresses: (allowedIps ?? []).join('\n'),
    notBefore: toLocal(key.notBefore),
    expiresAt: toLocal(key.expiresAt),
    rateLimits: key.rateLimits.map(({ name, limit, windowSeconds }) => ({
      name,
      limit: String(limit),
      windowSeconds: String(windowSeconds),
    })),
    creditsAre: credits ? 'limited' : 'unlimited',
    balance: '',
    refill: credits?.refill?.interval ?? 'none',
    refillAmount: String(credits?.refill?.amount ?? ''),
    refillDay: String(credits?.refill?.dayOfMonth ?? '1'),
    metadata: Object.keys(key.metadata).length > 0 ? JSON.stringify(key.metadata, null, 2) : '',
  };
}

/** What is changed, and shown to be changed, as one. */
interface KeyPart extends Part<EditForm> {
  /** The part of the merge patch; `base` is the key as the form began with it. */
  patch: (form: EditForm, base: Key) => Update;
}

const lines = (text: string) =>
  text
    .split(/\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '');
const words = (text: string) => text.split(/[\s,]+/).filter((word) => word !== '');
const orNull = (text: string) => (text.trim() === '' ? null : text.trim());

export const PARTS: readonly KeyPart[] = [
  {
    label: 'Name',
    fields: ['name'],
    text: (form) => form.name,
    patch: (form) => ({ name: form.name }),
  },
  {
    label: 'Description',
    fields: ['description'],
    text: (form) => form.description,
    patch: (form) => ({ description: orNull(form.description) }),
  },
  {
    label: 'Owner',
    fields: ['ownerId'],
    text: (form) => form.ownerId,
    patch: (form) => ({ ownerId: orNull(form.ownerId) }),
  },
  {
    label: 'Scopes',
    fields: ['scopes'],
    text: (form) => words(form.scopes).join(' '),
    patch: (form) => ({ scopes: words(form.scopes) }),
  },
  {
    label: 'Resources',
    fields: ['resourcesAre', 'resources'],
    text: (form) => listText(form.resourcesAre, form.resources),
    patch: (form) => ({ resources: form.resourcesAre === 'any' ? null : lines(form.resources) }),
  },
  {
    label: 'Addresses',
    fields: ['addressesAre', 'addresses'],
    text: (form) => listText(form.addressesAre, form.addresses),
    patch: (form) => ({ allowedIps: form.addressesAre === 'any' ? null : words(form.addresses) }),
  },
  {
    label: 'Valid from',
    fields: ['notBefore'],
    text: (form) => form.notBefore.replace('T', ' '),
    patch: (form) => ({ notBefore: fromLocal(form.notBefore) }),
  },
  {
    label: 'Expires',
    fields: ['expiresAt'],
    text: (form) => form.expiresAt.replace('T', ' ') || 'never',
    patch: (form) => ({ expiresAt: fromLocal(form.expiresAt) }),
  },
  {
    label: 'Rate limits',
    fields: ['rateLimits'],
    text: ({ rateLimits }) => rateLimits.map(limitText).join(', '),
    patch: ({ rateLimits }) => ({ rateLimits: rateLimits.map(toLimit) }),
  },
  {
    label: 'Credits',
    fields: ['creditsAre', 'balance', 'refill', 'refillAmount', 'refillDay'],
    text: creditsText,
    patch: (form, { credits }) => ({ credits: creditsOf(form, credits !== null) }),
  },
  {
    label: 'Metadata',
    fields: ['metadata'],
    text: (form) => form.metadata,
    patch: (form, { metadata }) => ({ metadata: metadataPatch(form.metadata, metadata) }),
  },
];

export function patchOf(base: Key, form: EditForm): Update {
  const changed = changedParts(PARTS, formOf(base), form);
  return Object.assign({}, ...changed.map(({ patch }) => patch(form, base)));
}

/** What is wrong with the text of the metadata; null: nothing. */
export function metadataFault(text: string): string | null {
  if (text.trim() === '') return null;
  try {
    return isObject(JSON.parse(text)) ? null : 'must be a JSON object such as {"plan": "pro"}';
  } catch {
    return 'is no JSON';
  }
}

/** A merge patch: names that are gone become null. */
function metadataPatch(text: string, was: Key['metadata']): NonNullable<Update['metadata']> {
  const is: unknown = text.trim() === '' ? {} : JSON.parse(text);
  const gone = Object.keys(was).map((name) => [name, null]);
  return { ...Object.fromEntries(gone), ...(isObject(is) ? is : {}) };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function toLimit({ name, limit, windowSeconds }: LimitRow): Schemas['RateLimitInput'] {
  return { name, limit: Number(limit), windowSeconds: Number(windowSeconds) };
}

function limitText({ name, limit, windowSeconds }: LimitRow): string {
  return `${name}: ${limit} in ${windowText(Number(windowSeconds))}`;
}

function creditsText({ creditsAre, balance, refill, refillAmount, refillDay }: EditForm): string {
  if (creditsAre === 'unlimited') return 'not limited';
  const start = balance === '' ? 'limited' : `limited to ${balance}`;
  if (refill === 'none') return `${start}, no refill`;
  const day = refill === 'monthly' ? ` on day ${refillDay}` : '';
  return `${start}, refilled ${refill}${day} to ${refillAmount}`;
}

function creditsOf(form: EditForm, wereLimited: boolean): NonNullable<Update['credits']> | null {
  const { creditsAre, balance, refill, refillAmount, refillDay } = form;
  if (creditsAre === 'unlimited') return null;
  const amount = Number(refillAmount);
  const refills = {
    none: null,
    daily: { interval: 'daily' as const, amount },
    monthly: { interval: 'monthly' as const, amount, dayOfMonth: Number(refillDay) },
  };
  const known = refill === 'daily' || refill === 'monthly' ? refills[refill] : refills.none;
  return { ...(!wereLimited && { remaining: Number(balance) }), refill: known };
}

function listText(are: string, text: string): string {
  if (are === 'any') return 'any';
  return words(text).length > 0 ? lines(text).join(', ') : 'none at all';
}
