import {
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  type KeyObject,
  randomBytes,
} from 'node:crypto';

/** Without a request for so long, a session ends. */
const IDLE_MS = 30 * 60_000;
/** From the sign-in. */
export const LIFETIME_MS = 12 * 3_600_000;
const CIPHER = 'aes-256-gcm';
const IV_BYTES = 12;
const TAG_BYTES = 16;
/** A root key of 256 characters and an actor of 128 make about 650. */
const MAX_SEALED_LENGTH = 1024;

/** Who is signed in: the management key, and the person who uses it. */
export interface Session {
  /** Which its pages name in each call, so that none acts in the session of somebody else. */
  id: string;
  key: string;
  actor: string | null;
  /** In epoch milliseconds. */
  signedInAt: number;
  seenAt: number;
}

/**
 * Sessions of the console, each in a cookie of its own that only this installation can read: there is no
 * table of them. What a session may do is asked of its management key at each request, so that it ends
 * with that.
 */
export class Sessions {
  readonly #key: KeyObject;
  readonly #now: () => number;

  /** Without a key, which all instances share, sessions are those of this process alone. */
  constructor(key: KeyObject | null, now: () => number) {
    this.#key = key ?? createSecretKey(randomBytes(32));
    this.#now = now;
  }

  start(key: string, actor: string | null): Session {
    const now = this.#now();
    return { id: randomBytes(9).toString('base64url'), key, actor, signedInAt: now, seenAt: now };
  }

  /** The same session as of now, so that its idle time begins again. */
  continue(session: Session): Session {
    return { ...session, seenAt: this.#now() };
  }

  seal({ id, key, actor, signedInAt, seenAt }: Session): string {
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv(CIPHER, this.#key, iv);
    const text = JSON.stringify([id, key, actor, signedInAt, seenAt]);
    const sealed = [iv, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()];
    return Buffer.concat(sealed).toString('base64url');
  }

  /** Null for what this installation did not seal, or what has ended. */
  open(sealed: string): Session | null {
    const session = sealed.length > MAX_SEALED_LENGTH ? null : this.#unseal(sealed);
    if (!session) return null;
    const now = this.#now();
    const isOver = now > session.seenAt + IDLE_MS || now > session.signedInAt + LIFETIME_MS;
    return isOver ? null : session;
  }

  #unseal(sealed: string): Session | null {
    const bytes = Buffer.from(sealed, 'base64url');
    if (bytes.length <= IV_BYTES + TAG_BYTES) return null;
    const cipher = createDecipheriv(CIPHER, this.#key, bytes.subarray(0, IV_BYTES));
    cipher.setAuthTag(bytes.subarray(-TAG_BYTES));
    try {
      const text = cipher.update(bytes.subarray(IV_BYTES, -TAG_BYTES), undefined, 'utf8');
      const [id, key, actor, signedInAt, seenAt] = JSON.parse(text + cipher.final('utf8'));
      return { id, key, actor, signedInAt, seenAt };
    } catch {
      return null;
    }
  }
}
