import { REQUEST_BYTES } from '../lib/memory-budget.ts';
import type { Metric } from '../lib/metric.ts';
import type { ResourceLimit } from '../lib/resource-limit.ts';
import { SharedBound } from '../lib/shared-bound.ts';
import type { GithubKeys } from './github-keys.ts';
import type { LeakQueue } from './queue.ts';

export const BODY_BYTES = 32_768;
/** GitHub reports all that it found in one push. */
export const GITHUB_BODY_BYTES = 65_536;
/** Requests of strangers, each until its answer is sent. */
const MAX_UNDER_WAY = 16;
/** For one network, be it that of a proxy. */
const SHARE = 0.5;

/** What the calls that take reports work with. */
export class Leaks {
  readonly isOn: boolean;
  readonly queue: LeakQueue;
  readonly githubKeys: GithubKeys;
  readonly underWay = new SharedBound(MAX_UNDER_WAY, SHARE);

  constructor(isOn: boolean, queue: LeakQueue, githubKeys: GithubKeys) {
    this.isOn = isOn;
    this.queue = queue;
    this.githubKeys = githubKeys;
  }

  get metrics(): Metric[] {
    return this.queue.metrics;
  }

  get resourceLimits(): ResourceLimit[] {
    const bytesEach = REQUEST_BYTES + GITHUB_BODY_BYTES;
    return [this.queue.resourceLimit, this.underWay.resourceLimit('leak_requests', bytesEach)];
  }
}
