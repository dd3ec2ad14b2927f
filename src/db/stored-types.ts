import { customType } from 'drizzle-orm/pg-core';
import { type AlertThresholds, DEFAULT_ALERT_THRESHOLDS } from '../domain/alert-thresholds.ts';
import type { Actor } from '../domain/caller.ts';
import { DEFAULT_IDLE_POLICY, type IdlePolicy } from '../domain/idle-policy.ts';
import { isJsonObject, type Json, type JsonObject } from '../domain/json.ts';
import type { AvailableScope } from '../domain/scopes.ts';
import { FIRST_INSTANT, LAST_INSTANT } from '../domain/time.ts';

/**
 * Columns whose types hold more than the service writes. What only SQL can have written is read as
 * the nearest value that the service knows, and never allows more: no row, however broken, stops a
 * call from being answered or a key from being revoked.
 */
export const instant = customType<{ data: Date; driverData: string | number | Date }>({
  dataType: () => 'timestamp (3) with time zone',
  toDriver: (date) => date.toISOString(),
  fromDriver: readInstant,
});

/** What is before or after every day that can be shown, such as 'infinity', is the nearest one. */
export function readInstant(value: string | number | Date): Date {
  const time = new Date(value).getTime();
  if (Number.isNaN(time)) return isLongAgo(String(value)) ? FIRST_INSTANT : LAST_INSTANT;
  return new Date(Math.min(Math.max(time, FIRST_INSTANT.getTime()), LAST_INSTANT.getTime()));
}

function isLongAgo(text: string): boolean {
  return text.startsWith('-') || text.endsWith('BC');
}

export const texts = customType<{ data: string[]; driverData: Json }>({
  dataType: () => 'text[]',
  fromDriver: (value) => (Array.isArray(value) ? value.flat().filter(isText) : []),
});

export const metadata = customType<{ data: JsonObject; driverData: Json }>({
  dataType: () => 'jsonb',
  toDriver: (value) => JSON.stringify(value),
  fromDriver: (value) => (isJsonObject(value) ? value : {}),
});

/** It is no caller that the service knows. */
export const UNKNOWN_ACTOR: Actor = { type: 'system', id: 'unknown', onBehalfOf: null };

export const actor = customType<{ data: Actor; driverData: Json }>({
  dataType: () => 'jsonb',
  toDriver: (value) => JSON.stringify(value),
  fromDriver: readActor,
});

/** Of a row, or of the text of an audit entry. */
export function readActor(value: Json | undefined): Actor {
  if (!isJsonObject(value) || !isText(value.id) || !isActorType(value.type)) return UNKNOWN_ACTOR;
  const { id, type, onBehalfOf } = value;
  return { type, id, onBehalfOf: isText(onBehalfOf) ? onBehalfOf : null };
}

function isActorType(value: Json | undefined): value is Actor['type'] {
  return value === 'root' || value === 'management_key' || value === 'key' || value === 'system';
}

export const availableScopes = customType<{ data: AvailableScope[]; driverData: Json }>({
  dataType: () => 'jsonb',
  toDriver: (value) => JSON.stringify(value),
  fromDriver: (value) => (Array.isArray(value) ? value.flatMap(readAvailableScope) : []),
});

function readAvailableScope(value: Json): AvailableScope[] {
  if (!isJsonObject(value) || !isText(value.scope)) return [];
  const { scope, title, description } = value;
  const text = (field: Json | undefined) => (isText(field) ? field : '');
  return [{ scope, title: text(title), description: text(description) }];
}

function isText(value: Json | undefined): value is string {
  return typeof value === 'string';
}

export const alertThresholds = customType<{ data: AlertThresholds; driverData: Json }>({
  dataType: () => 'jsonb',
  toDriver: (value) => JSON.stringify(value),
  fromDriver: readThresholds,
});

function readThresholds(value: Json): AlertThresholds {
  const stored = isJsonObject(value) ? value : {};
  const standard = DEFAULT_ALERT_THRESHOLDS;
  const days = Array.isArray(stored.expiringDays) ? stored.expiringDays.filter(isNumber) : null;
  return {
    expiringDays: days ?? standard.expiringDays,
    rotationDueDays: numberOrNull(stored.rotationDueDays, standard.rotationDueDays),
    limitedHours: numberOrNull(stored.limitedHours, standard.limitedHours),
    creditsLow: numberOrNull(stored.creditsLow, standard.creditsLow),
    wrongKeysPerHour: numberOrNull(stored.wrongKeysPerHour, standard.wrongKeysPerHour),
    unusualFactor: numberOrNull(stored.unusualFactor, standard.unusualFactor),
    unusualMinimum: isNumber(stored.unusualMinimum)
      ? stored.unusualMinimum
      : standard.unusualMinimum,
  };
}

export const idlePolicy = customType<{ data: IdlePolicy; driverData: Json }>({
  dataType: () => 'jsonb',
  toDriver: (value) => JSON.stringify(value),
  fromDriver: readIdlePolicy,
});

/** What cannot be read ends no key. */
function readIdlePolicy(value: Json): IdlePolicy {
  const stored = isJsonObject(value) ? value : {};
  const { warnAfterDays, noticeDays } = DEFAULT_IDLE_POLICY;
  return {
    warnAfterDays: numberOrNull(stored.warnAfterDays, warnAfterDays),
    disableAfterDays: numberOrNull(stored.disableAfterDays, null),
    revokeAfterDays: numberOrNull(stored.revokeAfterDays, null),
    noticeDays: isNumber(stored.noticeDays) ? stored.noticeDays : noticeDays,
  };
}

function numberOrNull(value: Json | undefined, standard: number | null): number | null {
  return value === null || isNumber(value) ? value : standard;
}

function isNumber(value: Json | undefined): value is number {
  return typeof value === 'number';
}
