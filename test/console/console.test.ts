import type { Page } from 'playwright-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { until } from '../../src/local/client.ts';
import { got, newAccount, sweepOnce, sweptUntil, useStack, vaultWithKey, withCustomerKey } from '../app/support.ts';
import { expectAccessible, openConsole, useBrowser } from './browser.ts';

const pace = {
  KEYWARD_LOOK_INTERVAL_HEALTHY_SECONDS: '1',
  KEYWARD_LOOK_INTERVAL_SUSPECT_SECONDS: '0.2',
  KEYWARD_LOOK_INTERVAL_INACCESSIBLE_SECONDS: '0.5',
  KEYWARD_LOOK_SPACING_SECONDS: '0.2',
};
const world = useStack({ settings: { KEYWARD_AUTH: 'entra', ...pace } });
const browser = useBrowser();
let key = '';

beforeAll(async () => {
  key = await vaultWithKey(world, 'contoso-keys');
  await got(201, world.api('PUT', '/api/accounts/alpha', withCustomerKey('contoso', key)));
  await got(201, world.api('PUT', '/api/accounts/beta', newAccount('fabrikam')));
});

const change = (method: 'PATCH', path: string, body?: unknown) =>
  world.stack.keyVault(method, `/vaults/contoso-keys${path}`, body);
const isInaccessible = (account: { properties: { state: string } }) =>
  account.properties.state === 'CustomerKeyInaccessible';
const isEnabled = (account: { properties: { state: string } }) => account.properties.state === 'Enabled';

/** Sweeps until the page shows the text. */
const sweptUntilShown = (page: Page, text: string) =>
  until(
    `the page shows ${text}`,
    async () => {
      await sweepOnce(world);
      return page.getByText(text).first().isVisible();
    },
    (isVisible) => isVisible,
  );

describe('the console', () => {
  test('a user signs in at the local issuer and sees the accounts; the page calls no other origin and breaks no policy', async () => {
    const { stack } = world;
    const { page, problems, origins } = await openConsole(browser, stack, '/accounts');
    await page.getByRole('link', { name: 'beta' }).waitFor();
    const row = page.getByRole('row').filter({ hasText: 'alpha' });
    expect(await row.textContent()).toMatch(/contoso.*Enabled.*Accessible/);
    expect([...origins].toSorted()).toEqual([stack.host.url, stack.identity.url].toSorted());
    expect(problems).toEqual([]);
  });

  test('a filter is in the address: the view opens with it, and a change of it changes the address', async () => {
    const { page } = await openConsole(browser, world.stack, '/accounts?owner=fabrikam');
    await page.getByRole('link', { name: 'beta' }).waitFor();
    expect(await page.getByRole('link', { name: 'alpha' }).count()).toBe(0);
    await page.getByLabel('Owner').fill('contoso');
    await page.keyboard.press('Enter');
    await page.getByRole('link', { name: 'alpha' }).waitFor();
    expect(new URL(page.url()).search).toBe('?owner=contoso');
  });

  test('an account is shown with its audit, its validation checks and the verification of its chain', async () => {
    const { page, problems } = await openConsole(browser, world.stack, '/accounts/alpha');
    await page.getByText('AccountCreated').waitFor();
    await page.getByRole('button', { name: 'Run the checks' }).click();
    await page.getByText('unwrapProof').waitFor();
    await page.getByRole('button', { name: 'Verify the chain' }).click();
    await page.getByText('whole').waitFor();
    expect(problems).toEqual([]);
  });

  test('an account is deleted only after its name is typed', async () => {
    await got(201, world.api('PUT', '/api/accounts/gamma', newAccount('contoso')));
    const { page } = await openConsole(browser, world.stack, '/accounts/gamma');
    await page.getByRole('button', { name: 'Delete the account' }).click();
    const confirm = page.getByRole('button', { name: 'Delete gamma' });
    expect(await confirm.isDisabled()).toBe(true);
    await page.getByLabel('Type gamma to confirm').fill('gamma');
    await confirm.click();
    await page.getByRole('heading', { name: 'Accounts' }).waitFor();
    expect((await world.api('GET', '/api/accounts/gamma')).status).toBe(404);
  });

  test('a user without a role sees which role the API has refused', async () => {
    const { page } = await openConsole(browser, world.stack, '/accounts/alpha', { user: 'on-call' });
    await page.getByRole('button', { name: 'Delete the account' }).click();
    await page.getByLabel('Type alpha to confirm').fill('alpha');
    await page.getByRole('button', { name: 'Delete alpha' }).click();
    await page.getByText('lacks the app role Accounts.Delete').waitFor();
  });

  test('ten thousand accounts are a list of which the document holds only the rows in view', async () => {
    const { page } = await openConsole(browser, world.stack, '/keys');
    const one = (await got(200, world.api('GET', '/api/operator/accounts?name=alpha'))).body.value[0];
    const value = Array.from({ length: 10_000 }, (_, n) => ({ ...one, name: `tenant-${n}`, accountId: `id-${n}` }));
    await page.route('**/api/operator/accounts*', (route) => route.fulfill({ json: { value } }));
    await page.getByRole('link', { name: 'Accounts', exact: true }).click();
    await page.getByText('tenant-3', { exact: true }).waitFor();
    expect(await page.getByRole('row').count()).toBeLessThan(100);
    await page.keyboard.press('End');
    await page.getByText('tenant-9999', { exact: true }).waitFor();
    expect(await page.getByRole('row').count()).toBeLessThan(100);
  });
});

describe('a night', () => {
  test('from an alert to the command: a disabled key is on the first page with its cause, who acts and the command to copy', async () => {
    await change('PATCH', '/keys/cmk', { enabled: false });
    await sweptUntil(world, 'alpha', isInaccessible);
    const { page, problems } = await openConsole(browser, world.stack, '/', {
      user: 'on-call',
      permissions: ['clipboard-read', 'clipboard-write'],
    });
    const down = page.getByRole('article').filter({ hasText: 'contoso-keys' });
    await down.getByText('KeyDisabled').waitFor();
    expect(await down.textContent()).toMatch(/Inaccessible.*contoso, 1 account.*customer/);
    await down.getByRole('button', { name: 'Copy command' }).click();
    await down.getByText('Copied').waitFor();
    const { remedy } = (await got(200, world.api('GET', '/api/operator/keys?status=Inaccessible'))).body.value[0];
    const copied = await page.evaluate<string>('navigator.clipboard.readText()');
    expect(copied).toMatch(/^az keyvault key set-attributes .*--enabled true/);
    expect(remedy).toContain(copied);

    await down.getByRole('link', { name: '1 account' }).click();
    await page.getByRole('link', { name: 'alpha' }).click();
    await page.getByText('CustomerKeyInaccessible').first().waitFor();
    await page.getByRole('link', { name: 'Timeline' }).click();
    await page.getByRole('row').filter({ hasText: 'CustomerKeyInaccessible' }).first().waitFor();
    expect(problems).toEqual([]);

    await change('PATCH', '/keys/cmk', { enabled: true });
    await sweptUntil(world, 'alpha', isEnabled);
    await page.getByRole('link', { name: 'Now' }).click();
    await page.getByText('Every customer key works.').waitFor();
  });

  test('a key shows its last 24 hours, its versions, the accounts on each, and which is safe to disable', async () => {
    const { page } = await openConsole(browser, world.stack, '/keys');
    await page.getByRole('img', { name: /Last 24 hours: .*Inaccessible/ }).waitFor();
    await page.getByRole('link', { name: /contoso-keys/ }).click();
    await page.getByText('Not safe to disable.').waitFor();
    await page.getByRole('link', { name: '1 account', exact: true }).waitFor();
    await page.getByRole('button', { name: 'Check the key now' }).click();
    await page.getByRole('status').filter({ hasText: 'Accessible' }).waitFor();
  });
});

test('the local panel plays the customer: the key is disabled and enabled with a press of a button, and the page shows the effect', async () => {
  const { stack } = world;
  const { page, problems, origins } = await openConsole(browser, stack, '/play');
  await page.getByRole('button', { name: 'Disable' }).click();
  await sweptUntilShown(page, 'KeyDisabled');
  await page.getByRole('button', { name: 'Enable', exact: true }).click();
  await sweptUntil(world, 'alpha', isEnabled);
  expect([...origins].toSorted()).toEqual([stack.host.url, stack.identity.url, stack.keyVaultUrl].toSorted());
  expect(problems).toEqual([]);
});

describe.each([
  ['light, on a desk', { colorScheme: 'light', viewport: { width: 1280, height: 900 } }],
  ['dark, on a phone', { colorScheme: 'dark', viewport: { width: 390, height: 844 } }],
] as const)('%s', (_name, options) => {
  test('every view is accessible by the rules of axe-core, and none is wider than the screen', async () => {
    const { page } = await openConsole(browser, world.stack, '/', options);
    for (const [view, sign] of [
      ['Accounts', 'alpha'],
      ['Keys', 'contoso-keys'],
      ['Timeline', /keyward watch|WatchCreated/],
      ['Audit', 'Verify the chain'],
      ['Play the customer', 'Vault contoso-keys'],
      ['Now', 'Readiness'],
    ] as const) {
      await page.getByRole('link', { name: view, exact: true }).click();
      await page.getByText(sign).first().waitFor();
      await expectAccessible(page);
      const width = await page.evaluate<number>('document.documentElement.scrollWidth');
      expect([view, width]).toEqual([view, options.viewport.width]);
    }
  });
});
