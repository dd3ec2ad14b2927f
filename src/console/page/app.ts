import { html } from 'htm/preact';
import type { ComponentType } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import type { Permission } from './api-types.ts';
import { Announcements, announce } from './components/announce.ts';
import { Brand } from './components/brand.ts';
import { isShortcutHelpOpen, Shortcuts } from './components/shortcuts.ts';
import { WorkspaceField } from './components/workspace-field.ts';
import { useOpenAlerts } from './open-alerts.ts';
import { AlertsPage } from './pages/alerts.ts';
import { AuditPage } from './pages/audit.ts';
import { CreateKeyPage } from './pages/create-key.ts';
import { HygienePage } from './pages/hygiene.ts';
import { ImportPage } from './pages/import.ts';
import { KeyPage } from './pages/key.ts';
import { KeysPage } from './pages/keys.ts';
import { ManagementKeysPage } from './pages/management-keys.ts';
import { SignInDialog, SignInPage } from './pages/sign-in.ts';
import { TryPage } from './pages/try.ts';
import { UsagePage } from './pages/usage.ts';
import { WebhookPage } from './pages/webhook.ts';
import { WebhooksPage } from './pages/webhooks.ts';
import { WorkspacePage } from './pages/workspace.ts';
import { WorkspacesPage } from './pages/workspaces.ts';
import { hrefOf, place } from './router.ts';
import { hasExpired, may, session, signOut } from './session.ts';
import { isUnbound, workspaceId } from './workspace.ts';

interface Page {
  path: RegExp;
  /** In the navigation, if it is there. */
  title: string;
  component: ComponentType<{ id: string }>;
  permission: Permission;
  group?: 'Administration';
  isInNavigation: boolean;
}

/** Every page: its address, and the permission without which it is not offered. */
const PAGES: readonly Page[] = [
  page(/^\/keys$/, 'Keys', KeysPage, 'keys:read', true),
  page(/^\/keys\/new$/, 'Create a key', CreateKeyPage, 'keys:write', false),
  page(/^\/keys\/import$/, 'Import keys', ImportPage, 'keys:write', false),
  page(/^\/keys\/([^/]+)$/, 'Key', KeyPage, 'keys:read', false),
  page(/^\/usage$/, 'Usage', UsagePage, 'usage:read', true),
  page(/^\/alerts$/, 'Alerts', AlertsPage, 'alerts:read', true),
  page(/^\/audit$/, 'Audit log', AuditPage, 'audit:read', true),
  page(/^\/hygiene$/, 'Hygiene', HygienePage, 'keys:read', true),
  page(/^\/workspaces$/, 'Workspaces', WorkspacesPage, 'workspaces:read', true, 'Administration'),
  page(/^\/workspaces\/([^/]+)$/, 'Workspace', WorkspacePage, 'workspaces:read', false),
  page(
    /^\/management-keys$/,
    'Management keys',
    ManagementKeysPage,
    'management:read',
    true,
    'Administration',
  ),
  page(/^\/webhooks$/, 'Webhooks', WebhooksPage, 'webhooks:read', true, 'Administration'),
  page(/^\/webhooks\/([^/]+)$/, 'Webhook', WebhookPage, 'webhooks:read', false),
  page(/^\/try$/, 'Try a key', TryPage, 'keys:verify', true, 'Administration'),
];

function page(
  path: RegExp,
  title: string,
  component: ComponentType<{ id: string }>,
  permission: Permission,
  isInNavigation: boolean,
  group?: 'Administration',
): Page {
  return { path, title, component, permission, isInNavigation, ...(group && { group }) };
}

export function App() {
  if (!session.value) return html`<${SignInPage} />`;
  const { path } = place.value;
  const found = PAGES.find((one) => one.path.test(path));
  const isAllowed = found && may(found.permission);
  const id = decodeURIComponent(found?.path.exec(path)?.[1] ?? '');
  return html`
    <div class="shell">
      <${Navigation} path=${path} />
      <main id="main" tabindex="-1">
        ${isAllowed ? html`<${Titled} title=${found.title} path=${path}><${found.component} key=${path} id=${id} /><//>` : html`<${NotHere} isKnown=${!!found} />`}
      </main>
    </div>
    <${Announcements} />
    ${hasExpired.value && html`<${SignInDialog} />`}
    <${Shortcuts} />
  `;
}

interface TitledProps {
  title: string;
  path: string;
  children: unknown;
}

/** The title of the window names the page and never what is on it. */
function Titled({ title, path, children }: TitledProps) {
  const last = useRef(path);
  useEffect(() => {
    document.title = `${title} · Keyward`;
    // What had the focus may have gone with the page before.
    if (last.current !== path && document.activeElement === document.body) {
      document.getElementById('main')?.focus();
    }
    last.current = path;
  }, [title, path]);
  return children;
}

function NotHere({ isKnown }: { isKnown: boolean }) {
  return html`
    <div class="empty card">
      <h1>${isKnown ? 'Not for this key' : 'No such page'}</h1>
      <p>${isKnown ? 'The management key that is signed in may not see this page.' : 'The address leads nowhere.'}</p>
      <a class="button" href=${hrefOf('/keys')}>To the keys</a>
    </div>
  `;
}

async function leave(): Promise<void> {
  if (!(await signOut())) announce('You are still signed in: Keyward was not reached.');
}

function Navigation({ path }: { path: string }) {
  const openAlerts = useOpenAlerts(path);
  const links = useRef<HTMLDivElement>(null);
  // On a phone the links are a row that is wider than the page.
  useEffect(() => {
    const current = links.current?.querySelector('[aria-current]');
    current?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }, [path, openAlerts]);
  const offered = PAGES.filter((one) => one.isInNavigation && may(one.permission));
  const link = ({ path: pattern, title }: Page) => {
    const base = `/${pattern.source.split('\\/')[1]?.replace('$', '')}`;
    const isCurrent = path === base || path.startsWith(`${base}/`);
    const href = hrefOf(base, { workspaceId: workspaceId.value });
    return html`<a href=${href} aria-current=${isCurrent ? 'page' : undefined}>${title}${base === '/alerts' && openAlerts && html`<${OpenAlerts} count=${openAlerts} />`}</a>`;
  };
  const administration = offered.filter(({ group }) => group);
  const { caller, actor } = session.value ?? {};
  return html`
    <nav class="nav" aria-label="Main">
      <a class="brand" href=${hrefOf('/keys')}><${Brand} />Keyward</a>
      ${isUnbound.value && html`<${WorkspaceField} />`}
      <div class="nav-links" ref=${links}>
        ${offered.filter(({ group }) => !group).map(link)}
        ${administration.length > 0 && html`<h2>Administration</h2>`}
        ${administration.map(link)}
      </div>
      <div class="who">
        <b>${actor ?? caller?.id}</b><br />
        ${caller?.workspaceId ? `workspace ${caller.workspaceId}` : 'every workspace'} ·${' '}
        <button type="button" class="link" onClick=${() => void leave()}>sign out</button>
        <button type="button" class="link shortcut-help" onClick=${() => {
          isShortcutHelpOpen.value = true;
        }}>shortcuts</button>
      </div>
    </nav>
  `;
}

/** Beside the link to the alerts. */
function OpenAlerts({ count }: { count: string }) {
  return html` <span class="count">${count}<span class="visually-hidden"> open and not acknowledged</span></span>`;
}
