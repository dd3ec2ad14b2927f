import { html } from 'htm/preact';
import type { Key, Schemas } from '../../api.ts';
import { Pill } from '../../components/status.ts';
import { Time } from '../../components/time.ts';
import { may } from '../../session.ts';
import { retiringSecret } from './read.ts';

/** The strings that are valid, each with its own last use. */
export function Strings({ apiKey }: { apiKey: Key }) {
  const { secrets } = apiKey;
  return html`
    <section class="card padded stack" aria-labelledby="strings">
      <h2 id="strings">${secrets.length > 1 ? 'Strings' : 'String'}</h2>
      ${secrets.map((secret) => html`<${OneString} key=${secret.id} ...${secret} />`)}
      ${secrets.length === 0 && html`<p class="soft">No string of this key is valid.</p>`}
    </section>
  `;
}

function OneString({ start, status, createdAt, lastUsedAt, validUntil }: Schemas['KeySecret']) {
  return html`
    <div class="string">
      <div class="row apart">
        <code>${start}</code>
        <${Pill} tone=${status === 'current' ? 'good' : 'caution'} text=${status === 'current' ? 'Current' : 'Retiring'} />
      </div>
      <p class="small soft">
        ${lastUsedAt ? html`Last used <${Time} at=${lastUsedAt} />` : 'Never used'} · issued <${Time} at=${createdAt} as="date" />${
          validUntil && html` · valid until <${Time} at=${validUntil} as="time" />`
        }
      </p>
    </div>
  `;
}

/** During a rotation: whether the old string is still needed. */
export function RotationCard({ apiKey, onEnd }: { apiKey: Key; onEnd: () => void }) {
  const retiring = retiringSecret(apiKey);
  const current = apiKey.secrets.find(({ status }) => status === 'current');
  if (!retiring || !current) return null;
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
