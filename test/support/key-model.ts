/** The expected behaviour of keys, without databases, caches or instances. */
export interface ModelString {
  key: string;
  /** In hours of the model; null for the current string, which has no end. */
  endsAt: number | null;
  ended: boolean;
}

export interface ModelKey {
  id: string;
  enabled: boolean;
  mayRead: boolean;
  expiresAt: number | null;
  revoked: boolean;
  deleted: boolean;
  /** The current string comes last. */
  strings: ModelString[];
}

export class KeyModel {
  /** Hours since the start of the run. */
  now = 0;
  suspended = false;
  readonly keys: ModelKey[] = [];

  add(id: string, key: string, lifetime: number | null): void {
    const expiresAt = this.#after(lifetime);
    const strings = [{ key, endsAt: null, ended: false }];
    const state = { enabled: true, mayRead: true, revoked: false, deleted: false };
    this.keys.push({ id, ...state, expiresAt, strings });
  }

  extend(key: ModelKey, lifetime: number | null): void {
    key.expiresAt = this.#after(lifetime);
  }

  isExpired({ expiresAt }: ModelKey): boolean {
    return expiresAt !== null && this.now > expiresAt;
  }

  /** The string whose grace period has not ended. */
  retiring({ strings }: ModelKey): ModelString | undefined {
    return strings.find((one) => one.endsAt !== null && !this.#hasEnded(one));
  }

  /** The status and code that a rotation answers. */
  rotationOutcome(key: ModelKey, supersede: boolean): string {
    if (key.deleted) return '404 NOT_FOUND';
    if (key.revoked) return '409 KEY_REVOKED';
    if (this.isExpired(key)) return '409 KEY_EXPIRED';
    return this.retiring(key) && !supersede ? '409 ROTATION_UNDER_WAY' : '200';
  }

  rotate(key: ModelKey, string: string, grace: number): void {
    this.endGrace(key);
    const current = key.strings.at(-1);
    if (current && grace === 0) current.ended = true;
    if (current) current.endsAt = this.#after(grace);
    key.strings.push({ key: string, endsAt: null, ended: false });
  }

  endGrace(key: ModelKey): void {
    const retiring = this.retiring(key);
    if (retiring) retiring.ended = true;
  }

  verdict(key: ModelKey, string: ModelString, asksToRead: boolean): string {
    if (key.deleted || this.#hasEnded(string)) return 'NOT_FOUND';
    if (key.revoked) return 'REVOKED';
    if (this.suspended) return 'WORKSPACE_SUSPENDED';
    if (!key.enabled) return 'DISABLED';
    if (this.isExpired(key)) return 'EXPIRED';
    return asksToRead && !key.mayRead ? 'INSUFFICIENT_SCOPE' : 'VALID';
  }

  status(key: ModelKey): string {
    if (key.revoked) return 'revoked';
    if (!key.enabled) return 'disabled';
    return this.isExpired(key) ? 'expired' : 'active';
  }

  #hasEnded({ ended, endsAt }: ModelString): boolean {
    return ended || (endsAt !== null && this.now > endsAt);
  }

  /** Half an hour less, so that nothing ends at the moment at which it is checked. */
  #after(hours: number | null): number | null {
    return hours === null ? null : this.now + hours - 0.5;
  }
}
