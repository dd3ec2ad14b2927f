import type { Schemas } from '../../api-types.ts';
import { DEFAULT_ALERT_THRESHOLDS, DEFAULT_IDLE_POLICY } from './defaults.ts';

type IdlePolicy = Schemas['IdlePolicy'];
type Thresholds = Schemas['AlertThresholds'];

/** From where on something is alerted, and what follows by itself, as text. */
export interface WatchForm extends Record<keyof IdlePolicy | keyof Thresholds, string> {
  leakResponse: string;
}

export function watchForm(workspace: Schemas['Workspace']): WatchForm {
  const { expiringDays, ...thresholds } = workspace.alertThresholds ?? DEFAULT_ALERT_THRESHOLDS;
  const idle = workspace.idlePolicy ?? DEFAULT_IDLE_POLICY;
  const text = (value: number | null) => (value === null ? '' : String(value));
  return {
    warnAfterDays: text(idle.warnAfterDays),
    disableAfterDays: text(idle.disableAfterDays),
    revokeAfterDays: text(idle.revokeAfterDays),
    noticeDays: text(idle.noticeDays),
    expiringDays: expiringDays.join(', '),
    rotationDueDays: text(thresholds.rotationDueDays),
    limitedHours: text(thresholds.limitedHours),
    creditsLow: text(thresholds.creditsLow),
    wrongKeysPerHour: text(thresholds.wrongKeysPerHour),
    unusualFactor: text(thresholds.unusualFactor),
    unusualMinimum: text(thresholds.unusualMinimum),
    leakResponse: workspace.leakResponse,
  };
}

const number = (text: string) => (text.trim() === '' ? null : Number(text));

export function idlePolicyOf(form: WatchForm): IdlePolicy {
  return {
    warnAfterDays: number(form.warnAfterDays),
    disableAfterDays: number(form.disableAfterDays),
    revokeAfterDays: number(form.revokeAfterDays),
    noticeDays: Number(form.noticeDays),
  };
}

function thresholdsOf(form: WatchForm): Thresholds {
  const days = form.expiringDays.split(/[\s,]+/).filter((word) => word !== '');
  return {
    expiringDays: days.map(Number),
    rotationDueDays: number(form.rotationDueDays),
    limitedHours: number(form.limitedHours),
    creditsLow: number(form.creditsLow),
    wrongKeysPerHour: number(form.wrongKeysPerHour),
    unusualFactor: number(form.unusualFactor),
    unusualMinimum: Number(form.unusualMinimum),
  };
}

/** Who keeps to the defaults also gets those of later versions. */
export function watchOf(form: WatchForm): Schemas['WorkspaceInput'] {
  return {
    idlePolicy: orDefault(idlePolicyOf(form), DEFAULT_IDLE_POLICY),
    alertThresholds: orDefault(thresholdsOf(form), DEFAULT_ALERT_THRESHOLDS),
    leakResponse: form.leakResponse === 'rotate' ? 'rotate' : 'revoke',
  };
}

function orDefault<Value>(value: Value, usual: Value): Value | null {
  return JSON.stringify(value) === JSON.stringify(usual) ? null : value;
}
