import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { paths } from '../../openapi/types.d.ts';
import { type Answering, isSignedBy, startReceiver, verifySigned } from '../support/receiver.ts';
import {
  at,
  makeKey,
  ok,
  type SharedProgram,
  startSharedProgram,
} from '../support/shared-program.ts';
import { BROWSER, openBrowser } from './browser.ts';
import { expectAccessible, openPerson, type Person, settled, signIn } from './console.ts';

type NewWebhook = paths['/v1/webhooks']['post']['requestBody']['content']['application/json'];

const SETTINGS = {
  KEYWARD_SECRET: 'secret-of-the-webhooks-on-the-console-0123456789',
  KEYWARD_WEBHOOK_NETWORKS: '127.0.0.1',
};

describe.runIf(BROWSER !== '')('webhooks on the console', { timeout: 120_000 }, () => {
  let program: SharedProgram;
  let browser: Browser;
  let ada: Person;
  let page: Page;

  beforeAll(async () => {
    program = await startSharedProgram(SETTINGS);
    browser = await openBrowser();
    ada = await openPerson(browser);
    page = ada.page;
    await signIn(ada, program.url);
  });
  afterAll(async () => {
    await browser.close();
    await program.end();
  });

  const button = (name: string) => page.getByRole('button', { name, exact: true });
  const open = async (path: string) => {
    await page.goto(`${program.url}/console/${path}`);
    await settled(page);
  };
  const inDialog = (name: string) =>
    page.getByRole('dialog').getByRole('button', { name, exact: true });
  const closed = () => page.getByRole('dialog').waitFor({ state: 'detached' });
  const read = (id: string) => ok(program.root.GET('/v1/webhooks/{id}', at(id)));
  const rows = () => page.locator('.deliveries tbody tr');
  /** A webhook of a receiver on loopback, with its page open. */
  const withReceiver = async (answer?: Answering, options: Partial<NewWebhook> = {}) => {
    const receiver = await startReceiver(answer);
    const body: NewWebhook = { url: receiver.url, eventTypes: ['key.revoked'], ...options };
    const webhook = await ok(program.root.POST('/v1/webhooks', { body }));
    await open(`webhooks/${webhook.id}`);
    return { ...webhook, receiver, secret: String(webhook.signingSecret) };
  };
  const revokeKey = async () => {
    const { id } = await makeKey(program.root);
    await ok(program.root.POST('/v1/keys/{id}/revoke', { ...at(id), body: {} }));
    return id;
  };

  it('a webhook is created for groups of events, its secret is shown once, and a test event that it signs arrives', async () => {
    const receiver = await startReceiver();
    await open('webhooks');
    await button('Create webhook').click();
    await page.getByLabel('URL').fill('http://10.0.0.1/hooks');
    await inDialog('Create webhook').click();
    await expect.poll(() => page.getByLabel('URL').getAttribute('aria-invalid')).toBe('true');
    await page.getByLabel('URL').fill(receiver.url);
    await page.getByLabel('Description').fill('Chat');
    await page.getByLabel('All of them').uncheck();
    await page.getByText('Alerts', { exact: true }).last().click();
    await page.getByLabel('Every event of alerts').check();
    await page.getByLabel('Alert ended').uncheck();
    await expect.poll(() => page.locator('input:indeterminate').count()).toBe(1);
    await page.getByText('Owners', { exact: true }).click();
    await page.getByLabel('Personal data erased').check();
    await expectAccessible(page);
    await inDialog('Create webhook').click();
    await page.getByText('Copy the signing secret now').waitFor();
    await expectAccessible(page);
    const secret = await page.getByTestId('one-time-key').innerText();
    await page.keyboard.press('Escape');
    expect(await page.getByTestId('one-time-key').innerText()).toBe(secret);
    await inDialog('Copy').click();
    await inDialog('Done').click();
    await page.getByRole('heading', { name: 'Chat' }).waitFor();
    expect(await page.content()).not.toContain(secret);
    const [webhook] = (
      await ok(program.root.GET('/v1/webhooks', { params: { query: { workspaceId: '*' } } }))
    ).data;
    expect(webhook?.eventTypes).toHaveLength(16);
    expect(webhook?.eventTypes).not.toContain('alert.ended');
    await button('Send test event').click();
    await page.getByText('The receiver accepted the test event').waitFor();
    await page.getByText(/It answered 204 in \d+ ms/).waitFor();
    expect(receiver.received).toHaveLength(1);
    for (const one of receiver.received) {
      expect(verifySigned(one, secret)).toMatchObject({ type: 'webhook.ping' });
    }
  });

  it('a receiver that refuses is shown as failing with each attempt, and takes the event once it is well and it is tried again', async () => {
    let status = 503;
    const { id, receiver } = await withReceiver(() => ({ status }));
    await button('Send test event').click();
    await page.getByText('The test event has not arrived').waitFor();
    await page.getByText(/The last attempt: answered 503 in \d+ ms/).waitFor();
    await page.getByText('Failing since').waitFor();
    expect(await rows().first().innerText()).toMatch(/Waiting\s+next within a minute/);
    await expectAccessible(page);
    status = 204;
    await page.getByRole('button', { name: 'Try now: Test event' }).click();
    await expect.poll(async () => (await read(id)).failingSince).toBeNull();
    await button('Refresh').click();
    await page.getByText('1 attempt before').click();
    await rows()
      .getByText(/answered 503/)
      .waitFor();
    await page.getByText('Failing since').waitFor({ state: 'detached' });
    expect(receiver.received.length).toBeGreaterThanOrEqual(2);
  });

  it('deliveries are filtered by their status and event, and one that was delivered is sent again', async () => {
    const { receiver, id } = await withReceiver();
    await revokeKey();
    await expect.poll(() => receiver.received.length).toBe(1);
    await button('Send test event').click();
    await page.getByText('The receiver accepted the test event').waitFor();
    await expect.poll(() => rows().count()).toBe(2);
    await page.getByLabel('Event', { exact: true }).selectOption('Revoked');
    await expect.poll(() => rows().count()).toBe(1);
    await page.getByRole('link', { name: 'Failed' }).click();
    await page.getByText('No delivery matches').waitFor();
    expect(page.url()).toMatch(new RegExp(`${id}.*eventType=key.revoked.*status=failed`));
    await page.goBack();
    await page.getByRole('button', { name: 'Send again: Keys: Revoked' }).click();
    await expect
      .poll(() => receiver.received.filter(({ event }) => event.type === 'key.revoked').length)
      .toBe(2);
    const ids = receiver.received
      .filter(({ event }) => event.type === 'key.revoked')
      .map(({ headers }) => headers['webhook-id']);
    expect(new Set(ids).size).toBe(1);
  });

  it('events of a range of time are sent again, also what happened while the webhook was disabled', async () => {
    const { id, receiver } = await withReceiver(undefined, { eventTypes: ['key.revoked'] });
    await button('Disable…').click();
    await page.getByText('Nothing is queued or sent until').waitFor();
    await inDialog('Disable webhook').click();
    await closed();
    expect((await read(id)).enabled).toBe(false);
    await button('Send test event').waitFor({ state: 'detached' });
    const revoked = await revokeKey();
    await button('Enable').click();
    await page.getByText('The webhook was enabled.').waitFor();
    await button('Send again…').click();
    await page.getByLabel('From').fill('2126-01-01T00:00');
    await expectAccessible(page);
    await inDialog('Send again').click();
    await page.getByText('There was nothing to send.').waitFor();
    await button('Send again…').click();
    await inDialog('Send again').click();
    await page.getByText(/\d+ events? queued/).waitFor();
    await expect
      .poll(() => receiver.received.map(({ event }) => event.data.target.id))
      .toContain(revoked);
  });

  it('a webhook is edited without overwriting what somebody else has changed meanwhile', async () => {
    const { id } = await withReceiver();
    await button('Edit…').click();
    await page.getByLabel('Description').fill('mine');
    await ok(
      program.root.PATCH('/v1/webhooks/{id}', {
        ...at(id),
        headers: { 'Keyward-Actor': 'bob@example.com' },
        body: { format: 'cloudevents', eventTypes: null },
      }),
    );
    await inDialog('Save').click();
    await page.getByText('bob@example.com changed this webhook').waitFor();
    expect(await page.getByLabel('Description').inputValue()).toBe('mine');
    await expectAccessible(page);
    await inDialog('Save again').click();
    await page.getByText('The webhook was changed.').waitFor();
    expect(await read(id)).toMatchObject({
      description: 'mine',
      format: 'cloudevents',
      eventTypes: null,
    });
    await page.getByRole('heading', { name: 'mine' }).waitFor();
  });

  it('after a rotation with a grace both secrets sign, and another one needs the end of the first', async () => {
    const { receiver, secret } = await withReceiver();
    await button('Rotate secret…').click();
    await expectAccessible(page);
    await inDialog('Rotate signing secret').click();
    const next = await page.getByTestId('one-time-key').innerText();
    expect(next).not.toBe(secret);
    await page.getByLabel('I have stored it').check();
    await inDialog('Done').click();
    await page.getByText('the one before signs until').waitFor();
    await button('Send test event').click();
    await page.getByText('The receiver accepted the test event').waitFor();
    const [sent] = receiver.received;
    expect(sent && [secret, next].map((one) => isSignedBy(sent, one))).toEqual([true, true]);
    await button('Rotate secret…').click();
    expect(await inDialog('Rotate signing secret').isDisabled()).toBe(true);
    await page.getByLabel('End that one now').check();
    await page.getByLabel('Grace of the old secret').selectOption('0');
    await inDialog('Rotate signing secret').click();
    await page.getByTestId('one-time-key').waitFor();
    await inDialog('Copy').click();
    await inDialog('Done').click();
    await page.getByText('the one before signs until').waitFor({ state: 'detached' });
  });

  it('a creation whose answer is lost makes no second webhook when it is repeated, and says that its secret is lost', async () => {
    const receiver = await startReceiver();
    await open('webhooks');
    await button('Create webhook').click();
    await page.getByLabel('URL').fill(receiver.url);
    await page.getByLabel('Description').fill('answered too late');
    await page.route('**/console/api/v1/webhooks', async (route) => {
      await route.fetch();
      await route.abort();
    });
    await inDialog('Create webhook').click();
    await page.getByText('Keyward was not reached').waitFor();
    await page.unroute('**/console/api/v1/webhooks');
    await inDialog('Create webhook').click();
    await page.getByText('the signing secret is lost').waitFor();
    await inDialog('To the webhook').click();
    await page.getByRole('heading', { name: 'answered too late' }).waitFor();
    const { data } = await ok(program.root.GET('/v1/webhooks'));
    expect(data.filter(({ description }) => description === 'answered too late')).toHaveLength(1);
  });

  it('a webhook that Keyward has disabled says why, and is deleted after a confirmation', async () => {
    const { id, url } = await withReceiver(() => ({ status: 410 }));
    await button('Send test event').click();
    await page.getByText('Keyward has disabled this webhook').waitFor();
    await page.getByText('The receiver answered 410').waitFor();
    await page.locator('.pill').getByText('Disabled by Keyward').waitFor();
    await expectAccessible(page);
    await button('Delete…').click();
    await page.getByRole('dialog').getByText(url).waitFor();
    await inDialog('Delete webhook').click();
    await page.getByRole('heading', { name: 'Webhooks' }).waitFor();
    await open(`webhooks/${id}`);
    await page.getByText('No such webhook').waitFor();
    await open(`audit?targetId=${id}`);
    await page.getByText('webhook.disabled').waitFor();
    await page.getByText('webhook.deleted').waitFor();
  });

  it('who may only read webhooks changes and sends nothing, and who may not read the audit log hands nothing out', async () => {
    const { id } = await withReceiver();
    const offered = async (permissions: ('webhooks:read' | 'webhooks:write')[]) => {
      const body = { name: 'limited', permissions, workspaceId: 'default' };
      const { key } = await ok(program.root.POST('/v1/management-keys', { body }));
      const person = await openPerson(browser);
      await signIn(person, program.url, { key: String(key), path: `/console/webhooks/${id}` });
      await settled(person.page);
      const main = person.page.locator('main');
      const names = await main.locator('.page-head').getByRole('button').allInnerTexts();
      await person.page.getByRole('link', { name: 'Webhooks' }).first().click();
      await settled(person.page);
      const canCreate = await main.getByRole('button', { name: 'Create webhook' }).count();
      await person.context.close();
      return [...names, canCreate];
    };
    expect(await offered(['webhooks:read'])).toEqual(['Refresh', 0]);
    expect(await offered(['webhooks:read', 'webhooks:write'])).toEqual([
      ...['Refresh', 'Send test event', 'Edit…', 'Rotate secret…', 'Disable…', 'Delete…'],
      0,
    ]);
  });

  it.each([
    ['light', 1440],
    ['dark', 1440],
    ['light', 360],
    ['dark', 360],
  ] as const)(
    'pages of webhooks have no finding of axe and do not overflow, %s at %d px',
    async (colorScheme, width) => {
      const { id, receiver } = await withReceiver(() => ({ status: 503 }), {
        description: 'Chat of the platform team, which has a long name',
        eventTypes: ['key.revoked', 'key.created', 'alert.key_leaked', 'management_key.revoked'],
      });
      await revokeKey();
      await expect.poll(() => receiver.received.length).toBeGreaterThan(0);
      const person = await openPerson(browser, { colorScheme, width });
      await signIn(person, program.url, { path: '/console/webhooks' });
      await expectAccessible(person.page);
      await person.page.getByRole('button', { name: 'Create webhook' }).click();
      await person.page.getByLabel('All of them').uncheck();
      await expectAccessible(person.page);
      await person.page.goto(`${program.url}/console/webhooks/${id}`);
      await person.page.getByRole('button', { name: 'Send test event' }).click();
      await person.page.getByText('The test event has not arrived').waitFor();
      await expectAccessible(person.page);
      await person.context.close();
      await ok(program.root.DELETE('/v1/webhooks/{id}', at(id)).then(() => ({ data: {} })));
    },
  );

  it('the pages of webhooks ask no other host, and raise no error', () => {
    expect([...ada.hosts]).toEqual([new URL(program.url).host]);
    expect(ada.complaints).toEqual([]);
  });
});
