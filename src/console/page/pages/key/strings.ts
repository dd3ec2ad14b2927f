import { html } from 'htm/preact';
import type { Key, Schemas } from '../../api-types.ts';
import { Pill } from '../../components/status.ts';
import { Time } from '../../components/time.ts';
import { may } from '../../session.ts';
import { lastUsedFrom, retiringSecret, type UsedFrom } from './read.ts';

/** The strings that are valid, each with its own last use. */
export function Strings({ apiKey }: { apiKey: Key }) {
  const { secrets, status } = apiKey;
  const hasEnded = status === 'revoked' || status === 'expired';
  return html`
    <section class="card padded stack" aria-labelledby="strings">
      <h2 id="strings">${secrets.length > 1 ? 'Strings' : 'String'}</h2>
      ${secrets.map((secret) => html`<${OneString} key=${secret.id} secret=${secret} hasEnded=${hasEnded} />`)}
      ${secrets.length === 0 && html`<p class="soft">No string of this key is valid.</p>`}
    </section>
  `;
}

function OneString({ secret, hasEnded }: { secret: Schemas['KeySecret']; hasEnded: boolean }) {
  const { start, status, createdAt, lastUsedAt, validUntil } = secret;
  const origin = originText(lastUsedFrom(secret));
  return html`
    <div class="string">
      <div class="row apart">
        <code>${start}</code>
        <${SecretStatus} status=${status} hasEnded=${hasEnded} />
      </div>
      <p class="small soft">
        ${lastUsedAt ? html`Last used <${Time} at=${lastUsedAt} />${origin && ` ${origin}`}` : 'Never used'} · issued <${Time} at=${createdAt} as="date" />${
          validUntil && html` · valid until <${Time} at=${validUntil} as="time" />`
        }
      </p>
    </div>
  `;
}

function originText(from: UsedFrom | null): string {
  const parts = [from?.ip && `from ${from.ip}`, from?.userAgent && `by ${from.userAgent}`];
  return parts.filter((part) => part).join(' ');
}

function SecretStatus({ status, hasEnded }: { status: string; hasEnded: boolean }) {
  if (hasEnded) return html`<${Pill} tone="neutral" text="Ended" />`;
  if (status === 'current') return html`<${Pill} tone="good" text="Current" />`;
  return html`<${Pill} tone="caution" text="Retiring" />`;
}

/** During a rotation: whether the old string is still needed. */
export function RotationCard({ apiKey, onEnd }: { apiKey: Key; onEnd: () => void }) {
  const retiring = retiringSecret(apiKey);
  const current = apiKey.secrets.find(({ status }) => status === 'current');
  if (!retiring || !current || apiKey.revokedAt !== null) return null;
  const { lastUsedAt, validUntil, start } = retiring;
  const isStillUsed = lastUsedAt !== null && lastUsedAt > current.createdAt;
  return html`
    <section class="notice caution rotation" aria-label="Rotation under way">
      <div class="stack tight">
        <b>${lastUsedAt ? html`The old string was last used <${Time} at=${lastUsedAt} />` : 'The old string was never used'}${
          isStillUsed || !lastUsedAt ? '' : ', before the rotation'
        }</b>
        <span>
          <code>${start}</code> is valid until <${Time} at=${validUntil} as="time" />. ${
            isStillUsed
              ? 'Something still presents it.'
              : 'Nothing has presented it since the rotation.'
          }
        </span>
      </div>
      ${may('keys:write') && html`<button type="button" onClick=${onEnd}>End the grace…</button>`}
    </section>
  `;
}
