import { html } from 'htm/preact';

export function Brand() {
  return html`
    <svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" aria-hidden="true">
      <path d="M12 3 4.5 6v6c0 4.6 3.2 7.6 7.5 9 4.3-1.4 7.5-4.4 7.5-9V6z" />
      <circle cx="12" cy="10.5" r="2" />
      <path d="M12 12.5V16" />
    </svg>
  `;
}
