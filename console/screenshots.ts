/**
 * `node console/screenshots.ts` after `npm run build`: the pictures of the console in README.md and docs/, from the
 * running stack. Some customers have taken their keys away, one has rotated its key, and three drills were made.
 */
import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { caller, until } from '../src/local/client.ts';
import { compressedTime } from '../src/local/demo/compressedTime.ts';
import { drillSettings, prepareCanary } from '../src/local/demo/drill.ts';
import { location, operatorToken } from '../src/local/operator.ts';
import { startStack } from '../src/local/stack.ts';
import { launch } from '../test/console/browser.ts';

const folder = fileURLToPath(new URL('../docs/images/', import.meta.url));
const owners = ['contoso', 'fabrikam', 'litware', 'northwind'];

const stack = await startStack({ settings: { KEYWARD_AUTH: 'entra', ...compressedTime, ...drillSettings } });
const browser = await launch();
try {
  const api = caller(stack.host.url, { authorization: `Bearer ${await operatorToken(stack.identity)}` });
  for (const owner of owners) {
    await stack.createCustomerVault(`${owner}-keys`);
    await stack.keyVault('POST', `/vaults/${owner}-keys/keys/media`, { kty: 'RSA', size: 2048 });
    const keyIdentifier = `https://${owner}-keys.vault.azure.net/keys/media`;
    const encryption = { type: 'CustomerKey', keyVaultProperties: { keyIdentifier } };
    for (const use of ['media', 'archive']) {
      await api('PUT', `/api/accounts/${owner}-${use}`, { location, properties: { owner, encryption } });
    }
  }
  await api('PUT', '/api/accounts/adatum-trial', { location, properties: { owner: 'adatum' } });
  await stack.keyVault('POST', '/vaults/litware-keys/keys/media/rotate');
  await stack.keyVault('PATCH', '/vaults/contoso-keys/keys/media', { enabled: false });
  await stack.keyVault('DELETE', '/vaults/fabrikam-keys/keys/media');
  const down = async () => (await api('GET', '/api/operator/keys?status=Inaccessible')).body.value.length;
  await until('two keys are inaccessible', down, (count) => count === 2);

  await prepareCanary(stack);
  for (let drills = 0; drills < 3; drills++) await stack.host.invokeTimer('drill');

  await mkdir(folder, { recursive: true });
  for (const [name, path, sign, colorScheme] of [
    ['console-now', '/', 'fabrikam-keys', 'light'],
    ['console-keys', '/keys', 'fabrikam-keys', 'light'],
    ['console-account', '/accounts/contoso-media', 'KeyDisabled', 'dark'],
    ['console-drills', '/drills', 'History', 'light'],
    ['console-timeline', '/timeline', 'CustomerKeyInaccessible', 'light'],
  ] as const) {
    const context = await browser.newContext({ viewport: { width: 1200, height: 780 }, colorScheme, locale: 'en-GB' });
    const page = await context.newPage();
    await page.goto(`${stack.host.url}/console${path}`);
    await page.getByRole('button', { name: 'administrator' }).click();
    await page.locator('main').getByText(sign).locator('visible=true').first().waitFor();
    if (path === '/keys') await page.locator('svg.strip').first().waitFor();
    await page.screenshot({ path: `${folder}${name}.png` });
    await context.close();
  }
  const { address } = (await api('POST', '/api/operator/owners/litware/links', { hours: 1 })).body;
  const page = await browser.newPage({ viewport: { width: 1200, height: 960 }, colorScheme: 'light', locale: 'en-GB' });
  await page.goto(address);
  await page.getByText('Revocation receipts').waitFor();
  await page.getByRole('button', { name: 'Show what stops' }).click();
  await page.getByText('Nothing was changed.').waitFor();
  await page.screenshot({ path: `${folder}console-customer.png` });
  await page.getByLabel('Key identifier').fill('https://litware-next.vault.azure.net/keys/media');
  await page.keyboard.press('Enter');
  await page.getByRole('tab', { name: 'Terraform' }).click();
  await page.evaluate('document.querySelector(\'[aria-label="Connect a key"]\').scrollIntoView()');
  await page.screenshot({ path: `${folder}console-connect.png` });
} finally {
  await browser.close();
  await stack.stop();
}
