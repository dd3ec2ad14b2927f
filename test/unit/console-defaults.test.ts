import { expect, it } from 'vitest';
import {
  DEFAULT_ALERT_THRESHOLDS,
  DEFAULT_IDLE_POLICY,
} from '../../src/console/page/pages/workspace/defaults.ts';
import { DEFAULT_ALERT_THRESHOLDS as THRESHOLDS } from '../../src/domain/alert-thresholds.ts';
import { DEFAULT_IDLE_POLICY as IDLE_POLICY } from '../../src/domain/idle-policy.ts';

it('the console shows a workspace without thresholds and idle policy the defaults that apply to it', () => {
  expect(DEFAULT_ALERT_THRESHOLDS).toEqual(THRESHOLDS);
  expect(DEFAULT_IDLE_POLICY).toEqual(IDLE_POLICY);
});
