import { readFile } from 'node:fs/promises';
import type { Page } from 'playwright-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { compose } from '../../src/azure/compose.ts';
import { createLink } from '../../src/core/customerPage/customerLink.ts';
import { routes } from '../../src/functions/routes.ts';
import { caller, until } from '../../src/local/client.ts';
import { appPrincipalId } from '../../src/local/operator.ts';
import {
  got,
  newAccount,
  refused,
  rotate,
  sweptUntil,
  useStack,
  vaultWithKey,
  withCustomerKey,
} from '../app/support.ts';
import { refusalOf } from '../az/azCommands.ts';
import { isExhaustive, oneIn } from '../exhaustive.ts';
import { expectAccessible, openConsole, patienceMs, signIn, useBrowser, visit } from './browser.ts';
import { hostileValueTests } from './hostileValues.ts';
import { nameOfFocus, press, tabTo } from './keyboard.ts';

const pace = {
  KEYWARD_LOOK_INTERVAL_HEALTHY_SECONDS: '1',
  KEYWARD_LOOK_INTERVAL_SUSPECT_SECONDS: '0.2',
  KEYWARD_LOOK_INTERVAL_INACCESSIBLE_SECONDS: '0.5',
  KEYWARD_LOOK_SPACING_SECONDS: '0.2',
  KEYWARD_SAFE_TO_DISABLE_AFTER_SECONDS: '1',
};
const canary = 'https://keyward-canary.vault.azure.net/keys/canary';
const world = useStack({ settings: { KEYWARD_AUTH: 'entra', KEYWARD_DRILL_KEY: canary, ...pace } });
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

const widthOf = (page: Page) => page.evaluate<number>('document.documentElement.scrollWidth');

/** The calls of the API that the view has made until it shows the answer. */
async function callsUntil(path: string, isShown: (page: Page) => Promise<unknown>): Promise<string[]> {
  const { page } = await openConsole(browser, world.stack, '/nothing');
  await page.getByText('The console has no such view.').waitFor();
  const calls: string[] = [];
  page.on('request', (request) => {
    const { pathname, search } = new URL(request.url());
    if (pathname.startsWith('/api/')) calls.push(pathname + search);
  });
  await visit(page, path);
  await isShown(page);
  return calls;
}

describe('the console', () => {
  test('a user signs in at the local issuer and sees the accounts; the page calls no other origin and breaks no policy', async () => {
    const { stack } = world;
    const { page, problems, origins } = await signIn(browser, stack, '/accounts');
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

  test.runIf(isExhaustive)(
    'an account is drawn as two machines with its present states marked, and says so to a screen reader',
    async () => {
      await sweptUntil(world, 'alpha', ({ properties }) => properties.encryption.status === 'Accessible');
      const { page } = await openConsole(browser, world.stack, '/accounts/alpha');
      await page.getByRole('img', { name: /^State of the account: now Enabled/ }).waitFor();
      await page
        .getByRole('img', { name: /^Status of the key: now Accessible.*to Suspect: a check is denied/ })
        .waitFor();
      const marked = await page.locator('g.now text').allTextContents();
      expect(marked).toEqual(['Enabled', 'Accessible']);
      expect(await page.getByRole('list').filter({ hasText: 'wraps the account key' }).first().textContent()).toContain(
        key,
      );
    },
  );

  test('the operator downloads the receipts of an account and the checkpoints of the service, with the public keys that verify them', async () => {
    const { page } = await openConsole(browser, world.stack, '/accounts/alpha');
    const saved = async (button: string) => {
      const [download] = await Promise.all([
        page.waitForEvent('download'),
        page.getByRole('button', { name: button }).click(),
      ]);
      return JSON.parse(await readFile(await download.path(), 'utf8'));
    };
    const jwks = (await got(200, world.api('GET', '/api/audit/jwks'))).body.keys;
    const receipts = await saved('Download the revocation receipts');
    expect(receipts.keys).toEqual(jwks);
    expect(receipts).toEqual(
      (await got(200, world.api('GET', '/api/operator/accounts/alpha/revocationReceipts'))).body,
    );
    await page.getByRole('link', { name: 'Audit', exact: true }).click();
    await page.getByText('Daily verification of all chains').waitFor();
    const { value } = (await got(200, world.api('GET', '/api/operator/audit/checkpoints'))).body;
    expect(await saved('Download the signed checkpoints')).toEqual({ value, keys: jwks });
  });

  test('before a drill the bounds are shown; a failed drill is in the history with its error, and on the first page', async () => {
    const { stack } = world;
    const { page } = await openConsole(browser, stack, '/drills');
    await page.getByText('No drill was made yet.').waitFor();
    await page
      .getByRole('img', { name: /^Refused after the key was disabled: 0 measured.*the bound \d+(\.\d+)? s/ })
      .waitFor();
    await stack.host.invokeTimer('drill');
    await page.reload();
    const row = page.getByRole('row').filter({ hasText: 'failed' });
    expect(await row.textContent()).toMatch(/CustomerKeyUnreachable/);
    await page.getByRole('link', { name: 'Now', exact: true }).click();
    await page.getByText(/refused after – s of/).waitFor();
  });

  test('an account with a secret is deleted after its name is typed, recovered, and destroyed only after its name is typed again', async () => {
    await got(201, world.api('PUT', '/api/accounts/gamma', newAccount('contoso')));
    await got(201, world.api('PUT', '/api/accounts/gamma/tokenKeys/one', { properties: { keyValue: 'AAAA' } }));
    const { page } = await openConsole(browser, world.stack, '/accounts/gamma');
    await page.getByRole('button', { name: 'Delete the account' }).click();
    const confirm = page.getByRole('button', { name: 'Delete gamma' });
    expect(await confirm.isDisabled()).toBe(true);
    await page.getByLabel('Type gamma to confirm').fill('gamma');
    await confirm.click();
    await page.getByRole('heading', { name: 'Accounts' }).waitFor();

    await page.goto(`${world.stack.host.url}/console/accounts/gamma`);
    await page.getByRole('img', { name: /^State of the account: now PendingDeletion/ }).waitFor();
    await page.getByRole('button', { name: 'Recover the account' }).click();
    await page.getByRole('img', { name: /^State of the account: now Enabled/ }).waitFor();

    await page.getByRole('button', { name: 'Delete the account' }).click();
    await page.getByLabel('Destroy its key at once').check();
    await page.getByLabel('Type gamma to confirm').fill('gamma');
    await page.getByRole('button', { name: 'Destroy gamma' }).click();
    await page.getByRole('heading', { name: 'Accounts' }).waitFor();
    expect((await world.api('GET', '/api/accounts/gamma')).status).toBe(404);
  });

  test('a user without a role sees which role the API has refused', async () => {
    const { page } = await openConsole(browser, world.stack, '/accounts/alpha', 'on-call');
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
  test('from an alert to the command: a disabled key is on the first page with its cause, who acts and the command to copy, and one call lists the customers that are down', async () => {
    await change('PATCH', '/keys/cmk', { enabled: false });
    await sweptUntil(world, 'alpha', isInaccessible);
    const { page, problems } = await openConsole(browser, world.stack, '/', 'on-call');
    const down = page.getByRole('article').filter({ hasText: 'contoso-keys' });
    await down.getByText('KeyDisabled').waitFor();
    expect(await down.textContent()).toMatch(/Inaccessible.*contoso, 1 account.*customer/);
    await down.getByRole('button', { name: 'Copy command' }).click();
    await down.getByText('Copied').waitFor();
    const { remedy } = (await got(200, world.api('GET', '/api/operator/keys?status=Inaccessible'))).body.value[0];
    const copied = await page.evaluate<string>('navigator.clipboard.readText()');
    expect(copied).toMatch(/^az keyvault key set-attributes .*--enabled true/);
    expect(remedy).toContain(copied);

    const query = 'state=CustomerKeyInaccessible';
    const calls = await callsUntil(`/accounts?${query}`, (view) =>
      view.getByRole('row').filter({ hasText: 'alpha' }).filter({ hasText: 'contoso' }).waitFor(),
    );
    expect(new Set(calls)).toEqual(new Set([`/api/operator/accounts?$top=100&${query}`]));

    await down.getByRole('link', { name: '1 account' }).click();
    await page.getByRole('link', { name: 'alpha' }).click();
    await page.getByText('CustomerKeyInaccessible').first().waitFor();
    await page.getByRole('link', { name: 'Timeline', exact: true }).click();
    await page.getByRole('row').filter({ hasText: 'CustomerKeyInaccessible' }).first().waitFor();
    expect(problems).toEqual([]);

    await change('PATCH', '/keys/cmk', { enabled: true });
    await sweptUntil(world, 'alpha', isEnabled);
    await page.getByRole('link', { name: 'Now' }).click();
    await page.getByText('Every customer key works.').waitFor();
  });

  test.runIf(isExhaustive)(
    'a key shows its last 24 hours, its versions, the accounts on each, and which is safe to disable',
    async () => {
      const { page } = await openConsole(browser, world.stack, '/keys');
      await page.getByRole('img', { name: /Last 24 hours: .*Inaccessible/ }).waitFor();
      await page.getByRole('link', { name: /contoso-keys/ }).click();
      await page.getByText('Not safe to disable.').waitFor();
      await page.getByRole('link', { name: '1 account', exact: true }).waitFor();
      await page.getByRole('button', { name: 'Check the key now' }).click();
      await page.getByRole('status').filter({ hasText: 'Accessible' }).waitFor();
    },
  );
});

describe('a question is answered by one call and one view', () => {
  test('which old versions may a customer disable: the call of the owner, and its view', async () => {
    const old = (await got(200, world.api('GET', '/api/operator/owners/contoso'))).body.value[0].versions[0].version;
    await rotate(world, 'contoso-keys');
    type Version = { version: string; safeToDisable: boolean };
    const safe = async () => {
      const { value } = (await got(200, world.api('GET', '/api/operator/owners/contoso'))).body;
      return value[0].versions.filter((one: Version) => one.safeToDisable).map(({ version }: Version) => version);
    };
    await sweptUntil(world, 'alpha', (account) => !JSON.stringify(account).includes(old));
    await until('the old version is safe to disable', safe, (versions) => versions.length > 0);
    expect(await safe()).toEqual([old]);
    const calls = await callsUntil('/owners/contoso', async (page) => {
      const item = page.getByRole('listitem').filter({ hasText: old });
      await item.getByText('Safe to disable.', { exact: true }).waitFor();
      await page.getByText('Not safe to disable.').waitFor();
    });
    expect(new Set(calls)).toEqual(new Set(['/api/operator/owners/contoso?$top=100']));
  });

  test('what happened between two times: the call of the timeline, and its view', async () => {
    const entries = (await got(200, world.api('GET', '/api/operator/timeline?type=AccountCreated'))).body.value;
    const { at } = entries.at(-1);
    const query = `from=${new Date(Date.parse(at) - 60_000).toISOString()}&to=${new Date(Date.parse(at) + 1).toISOString()}`;
    const calls = await callsUntil(`/timeline?${query}&type=AccountCreated`, (page) =>
      page.getByRole('row').filter({ hasText: 'AccountCreated' }).waitFor(),
    );
    expect(new Set(calls.map((call) => call.split('?')[0]))).toEqual(new Set(['/api/operator/timeline']));
  });
});

describe("the page of a customer's link", () => {
  const linkFor = async (owner: string) =>
    (await got(201, world.api('POST', `/api/operator/owners/${owner}/links`, { hours: 1 }))).body;

  test('a customer opens the link without a sign-in and sees its own keys, bounds and versions, by calls for customers only', async () => {
    const { address } = await linkFor('contoso');
    const { page, problems, origins } = await browser.open(address, { viewport: { width: 390, height: 844 } });
    const calls: string[] = [];
    page.on('request', (request) => calls.push(new URL(request.url()).pathname));
    await page.reload();
    await page.getByRole('heading', { name: 'Keys of contoso' }).waitFor();
    const own = page.getByRole('region', { name: key, exact: true });
    expect(await own.textContent()).toMatch(/Accessible.*1 account.*[Ss]afe to disable/);
    await page.getByText(/blocked within \d+ s/).waitFor();
    const api = calls.filter((path) => path.startsWith('/api/'));
    expect(new Set(api)).toEqual(new Set(['/api/customer/keys']));
    expect([...origins]).toEqual([world.stack.host.url]);
    expect(problems).toEqual([]);
    await expectAccessible(page);
    expect(await widthOf(page)).toBe(390);
  });

  test('the checks of a key show what is missing and its remedy, and turn to pass after the customer has changed it', async () => {
    const vault = 'contoso-new';
    const newKey = await vaultWithKey(world, vault);
    await world.stack.keyVault('PATCH', `/vaults/${vault}/keys/cmk`, { enabled: false });
    const { page } = await browser.open('about:blank');
    await page.clock.install();
    await page.goto((await linkFor('contoso')).address);
    await page.getByLabel('Key identifier').fill(newKey);
    await page.getByRole('button', { name: 'Show the steps and run the checks' }).click();
    const check = page.getByRole('listitem').filter({ hasText: 'keyEnabled' });
    await check.getByText('fail', { exact: true }).waitFor();
    await world.stack.keyVault('PATCH', `/vaults/${vault}/keys/cmk`, { enabled: true });
    await page.clock.fastForward(5_000);
    await check.getByText('pass', { exact: true }).waitFor();
    await page.getByText('Every check passes').waitFor();
  });

  test('the page has the steps to connect a key for three tools, with the ids of the service and a button that copies each', async () => {
    const { page, problems } = await browser.open((await linkFor('contoso')).address);
    await page.getByLabel('Key identifier').fill('https://contoso-next.vault.azure.net/keys/media');
    await page.keyboard.press('Enter');
    const plan = page.getByRole('region', { name: 'How to connect the key' });
    await plan.getByText(appPrincipalId, { exact: true }).waitFor();
    await plan
      .getByRole('listitem')
      .filter({ hasText: 'its role' })
      .getByRole('button', { name: 'Copy command' })
      .click();
    const copied = () => page.evaluate<string>('navigator.clipboard.readText()');
    expect(refusalOf(await copied())).toBeUndefined();
    expect(await copied()).toContain(`--assignee-object-id ${appPrincipalId} `);
    for (const [tool, text] of [
      ['Bicep', /^var cryptoServiceEncryptionUser/],
      ['Terraform', /^terraform \{/],
    ] as const) {
      await plan.getByRole('tab', { name: tool }).click();
      await plan.getByRole('button', { name: 'Copy the file' }).click();
      expect(await copied()).toMatch(text);
    }
    await expectAccessible(page);
    expect(problems).toEqual([]);
  });

  test('the page shows what would stop if the customer took the key away, and nothing is changed', async () => {
    const { page } = await browser.open((await linkFor('contoso')).address);
    const question = page.getByRole('region', { name: `What if, ${key}` });
    await question.getByLabel('What if I').selectOption('delete the key');
    await question.getByRole('button', { name: 'Show what stops' }).click();
    await question.getByText(/1 account is blocked within \d+ s of the vault's first refusal/).waitFor();
    await question.getByRole('listitem').filter({ hasText: 'alpha' }).waitFor();
    await question.getByRole('heading', { name: 'Do this first' }).waitFor();
    await question.getByLabel('What if I').selectOption('let this version expire');
    await question.getByRole('button', { name: 'Show what stops' }).click();
    await question.getByText('No account stops.').waitFor();
    await expectAccessible(page);
    expect(isEnabled((await got(200, world.api('GET', '/api/accounts/alpha'))).body)).toBe(true);
  });

  test('with access tokens of Microsoft Entra ID as the only credential, a link opens its own calls and every other call refuses it', async () => {
    const { address } = await linkFor('contoso');
    const authorization = `Bearer ${new URL(address).hash.slice(1)}`;
    const api = caller(world.stack.host.url, { authorization });
    await got(200, api('GET', '/api/customer/keys'));
    const others = routes.filter(({ scope }) => scope !== 'customer' && scope !== 'public');
    const answers = await Promise.all(
      others.map(async ({ method, path }) => {
        const url = `/api/${path.replace(/\{[^}]+\}/g, 'nothing')}`;
        const { status } = await api(method, url, method === 'GET' || method === 'DELETE' ? undefined : {});
        return { path, status };
      }),
    );
    expect(answers.filter(({ status }) => status !== 401)).toEqual([]);
    await refused(401, 'AuthenticationFailed', world.api('GET', '/api/customer/keys'));
  });

  test('a link of another owner shows nothing of this one, and a revoked or edited link shows nothing at all', async () => {
    const link = await linkFor('fabrikam');
    const { page } = await browser.open(link.address);
    await page.getByRole('heading', { name: 'Keys of fabrikam' }).waitFor();
    expect(await page.locator('main').textContent()).not.toContain('contoso');
    await got(200, world.api('DELETE', `/api/operator/owners/fabrikam/links/${link.id}`));
    const edited = `${link.address.slice(0, -2)}${link.address.endsWith('AA') ? 'BB' : 'AA'}`;
    for (const address of [link.address, edited]) {
      const { page: shut } = await browser.open(address);
      await shut.getByText('AuthenticationFailed').waitFor();
      expect(await shut.locator('main').textContent()).not.toContain('fabrikam');
    }
  });

  test('an expired link shows that it has expired, and nothing else', async () => {
    const twoHoursAgo = { now: () => Date.now() - 7_200_000, monotonic: () => performance.now() };
    const service = await compose(world.stack.settings, { info() {}, warn() {}, error() {} }, { clock: twoHoursAgo });
    const { token } = await createLink('fabrikam', 1, { kind: 'principal', id: 'tester' }, service);
    const { page } = await browser.open(`${world.stack.host.url}/console/customer#${token}`);
    await page.getByText('The link has expired.').waitFor();
    expect(await page.locator('main').textContent()).not.toContain('fabrikam');
  });
});

describe('hostile values', () => hostileValueTests(world, browser, () => key));

describe('without a mouse', () => {
  test.runIf(isExhaustive)(
    'every view is reached with Tab and Enter, in the order of the page, and the focus is always visible',
    async () => {
      const { page } = await openConsole(browser, world.stack, '/audit');
      await page.getByRole('heading', { name: 'Audit', level: 1 }).waitFor();
      const views = ['Now', 'Accounts', 'Keys', 'Timeline', 'Audit', 'Drills and bounds', 'Play the customer'];
      expect(await tabTo(page, 'Sign out')).toEqual(['Skip to the content', ...views, 'Sign out']);
      for (const view of views) {
        await page.evaluate("document.querySelector('.skip').focus()");
        await press(page, view);
        await page.getByRole('heading', { name: view, level: 1 }).waitFor();
      }
      await page.evaluate("document.querySelector('.skip').focus()");
      await page.keyboard.press('Enter');
      await tabTo(page, /^Remove the role$/);
    },
  );

  test.runIf(isExhaustive)(
    'an account is found, checked and deleted with the keyboard; Escape closes the question and returns the focus',
    async () => {
      const { page } = await openConsole(browser, world.stack, '/accounts');
      await page.getByRole('link', { name: 'alpha' }).waitFor();
      await tabTo(page, 'Owner');
      await page.keyboard.type('contoso');
      await page.keyboard.press('Enter');
      await page.getByRole('link', { name: 'beta' }).waitFor({ state: 'detached' });
      await press(page, 'alpha');
      await page.getByRole('heading', { name: 'alpha', level: 1 }).waitFor();
      await press(page, 'Delete the account');
      const dialog = page.getByRole('dialog');
      await dialog.waitFor();
      await tabTo(page, 'Cancel');
      await page.keyboard.press('Escape');
      await dialog.waitFor({ state: 'detached' });
      expect(await nameOfFocus(page)).toBe('Delete the account');
      await press(page, 'Run the checks', 'Space');
      await page.getByText('unwrapProof').waitFor();
      await press(page, 'Verify the chain');
      const verification = page.getByRole('region', { name: 'Verification' });
      await verification.getByText(/entries verified/).waitFor();
      expect(await verification.textContent()).toMatch(/whole/);
    },
  );

  test.runIf(isExhaustive)(
    'a customer asks what would stop, and changes the tool of the steps with the arrow keys',
    async () => {
      const { address } = (await got(201, world.api('POST', '/api/operator/owners/contoso/links', { hours: 1 }))).body;
      const { page } = await browser.open(address);
      await page.getByRole('heading', { name: 'Keys of contoso' }).waitFor();
      await tabTo(page, 'What if I');
      await page.keyboard.press('ArrowDown');
      await press(page, 'Show what stops');
      await page.getByText(/1 account is blocked within/).waitFor();
      await tabTo(page, 'Key identifier');
      await page.keyboard.type('https://contoso-next.vault.azure.net/keys/media');
      await press(page, 'Show the steps and run the checks');
      await page.getByRole('tab', { name: 'Azure CLI' }).waitFor();
      await tabTo(page, 'Azure CLI');
      await page.keyboard.press('ArrowRight');
      await page.keyboard.press('Enter');
      await page.getByText('Save it as keyward.bicep:').waitFor();
    },
  );
});

test('the local panel plays the customer: the key is disabled and enabled with a press of a button, and the page shows the effect', async () => {
  const { stack } = world;
  const { page, problems, origins } = await signIn(browser, stack, '/play');
  const panel = page.getByRole('region', { name: 'Vault contoso-keys' });
  await panel.getByRole('button', { name: 'Disable' }).click();
  await sweptUntil(world, 'alpha', ({ properties: { encryption } }) => encryption.cause === 'KeyDisabled');
  await page.getByText('KeyDisabled').first().waitFor();
  await panel.getByRole('button', { name: 'Enable', exact: true }).click();
  await sweptUntil(world, 'alpha', isEnabled);
  expect([...origins].toSorted()).toEqual([stack.host.url, stack.identity.url, stack.keyVaultUrl].toSorted());
  expect(problems).toEqual([]);
});

test.runIf(isExhaustive)(
  'every button of the local panel has its effect on the key, and the one that undoes it restores the key',
  async () => {
    const vault = 'fabrikam-keys';
    const played = await vaultWithKey(world, vault);
    await got(201, world.api('PUT', '/api/accounts/played', withCustomerKey('fabrikam', played)));
    const { page } = await openConsole(browser, world.stack, '/play');
    const panel = page.getByRole('region', { name: `Vault ${vault}` });
    const press = (name: string) => panel.getByRole('button', { name, exact: true }).click();
    const shows = async (text: string) => {
      await sweptUntil(world, 'played', ({ properties: { encryption } }) =>
        [encryption.status, encryption.cause].includes(text),
      );
      await panel.getByRole('heading', { level: 3 }).filter({ hasText: text }).waitFor();
    };
    await shows('Accessible');
    for (const [act, cause, undo] of [
      ['Delete', 'KeyNotFound', 'Recover'],
      ['Remove the role', 'KeyPermissionDenied', 'Give the role'],
      ['Close the firewall', 'VaultFirewallDenied', 'Open the firewall'],
      ['Throttle all calls', 'Throttled', 'Remove all faults'],
    ] as const) {
      await press(act);
      await shows(cause);
      await press(undo);
      await shows('Accessible');
    }
    const { value } = (await got(200, world.api('GET', '/api/operator/owners/fabrikam'))).body;
    const [{ version: old }] = value[0].versions;
    await press('New version');
    await sweptUntil(world, 'played', (account) => !JSON.stringify(account).includes(old));
  },
);

test('every view is accessible by the rules of axe-core and no wider than the screen: light on a desk, and dark on a phone', async () => {
  const { page } = await openConsole(browser, world.stack);
  const looks = [
    ['light', { width: 1280, height: 900 }, 'rgb(255, 255, 255)'],
    ['dark', { width: 390, height: 844 }, 'rgb(41, 41, 41)'],
  ] as const;
  const expectGood = async (view: string, sign: string | RegExp) => {
    await page.getByText(sign).locator('visible=true').first().waitFor();
    for (const [colorScheme, viewport, background] of looks) {
      // A button changes its color over time, and axe-core reads the color of the moment.
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      await page.setViewportSize(viewport);
      // The page draws the other colors after the change of the scheme.
      const backgroundNow = "getComputedStyle(document.querySelector('.provider')).backgroundColor";
      await expect.poll(() => page.evaluate(backgroundNow), { timeout: patienceMs }).toBe(background);
      await expectAccessible(page);
      expect([view, await widthOf(page)]).toEqual([view, viewport.width]);
    }
    await page.setViewportSize(looks[0][1]);
  };
  for (const [view, sign] of oneIn(2, [
    ['Accounts', 'alpha'],
    ['Keys', 'contoso-keys'],
    ['Timeline', /[a-z](Changed|Created|Used|Revoked|Inaccessible)$/],
    ['Audit', 'Verify the chain'],
    ['Drills and bounds', /^(History|No drill was made yet)/],
    ['Play the customer', 'Vault contoso-keys'],
    ['Now', 'Readiness'],
  ] as const)) {
    await page.getByRole('link', { name: view, exact: true }).click();
    await expectGood(view, sign);
  }
  for (const [path, sign] of oneIn(3, [
    ['/accounts/alpha', 'Key hierarchy'],
    ['/accounts/beta', 'Key hierarchy'],
    [`/keys/one?key=${encodeURIComponent(key)}`, 'Versions'],
    ['/owners/contoso', 'safe to disable'],
    ['/accounts/none', 'AccountNotFound'],
    ['/accounts?owner=none', 'No account fits.'],
    ['/nothing', 'The console has no such view.'],
  ] as const)) {
    await visit(page, path);
    await expectGood(path, sign);
  }
});
