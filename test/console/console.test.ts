import { beforeAll, expect, test } from 'vitest';
import { got, newAccount, useStack, vaultWithKey, withCustomerKey } from '../app/support.ts';
import { expectAccessible, openConsole, useBrowser } from './browser.ts';

const world = useStack({ settings: { KEYWARD_AUTH: 'entra' } });
const browser = useBrowser();

beforeAll(async () => {
  const key = await vaultWithKey(world, 'contoso-keys');
  await got(201, world.api('PUT', '/api/accounts/alpha', withCustomerKey('contoso', key)));
  await got(201, world.api('PUT', '/api/accounts/beta', newAccount('fabrikam')));
});

test('a user signs in at the local issuer and sees the accounts; the page calls no other origin and breaks no policy', async () => {
  const { stack } = world;
  const { page, problems, origins } = await openConsole(browser, stack, '/accounts');
  await page.getByRole('link', { name: 'beta' }).waitFor();
  expect(await page.getByRole('row').filter({ hasText: 'alpha' }).textContent()).toMatch(
    /contoso.*Enabled.*Accessible/,
  );
  await expectAccessible(page);
  expect([...origins].toSorted()).toEqual([stack.host.url, stack.identity.url].toSorted());
  expect(problems).toEqual([]);
});

test('a view opens from its address after the sign-in, and shows the account with its audit and its checks', async () => {
  const { page, problems } = await openConsole(browser, world.stack, '/accounts/alpha');
  await page.getByRole('heading', { name: 'alpha' }).waitFor();
  await page.getByText('AccountCreated').waitFor();
  await page.getByRole('button', { name: 'Run the checks' }).click();
  await page.getByText('unwrapProof').waitFor();
  await page.getByRole('button', { name: 'Verify the chain' }).click();
  await page.getByText('whole').waitFor();
  await expectAccessible(page);
  expect(problems).toEqual([]);
});
