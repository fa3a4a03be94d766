/**
 * Values that outsiders choose, as the console and the customer's page draw them. The tests share the stack of their
 * file.
 */
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { got, type World } from '../app/support.ts';
import { isExhaustive } from '../exhaustive.ts';
import { openConsole, type useBrowser } from './browser.ts';

const markup = '<img src=x onerror="window.ran=1"><script>window.ran=1</script>';
/** Markup, a character that turns the direction of the text behind it, and one that does not show. */
const hostile = `"'>${markup}\u202Egpj.exe\u200B`;
const drawn = '\\u{202E}gpj.exe\\u{200B}';

/** An answer of the API in which every text ends with hostile text. */
function poisoned(value: unknown, name = ''): unknown {
  if (typeof value === 'string') return name === 'nextLink' ? value : value + hostile;
  if (Array.isArray(value)) return value.map((one) => poisoned(one, name));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, poisoned(one, key)]));
}

const poisonAnswers = (page: Page, change = poisoned) =>
  page.route('**/api/**', async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, json: change(await response.json().catch(() => ({}))) });
  });

interface Seen {
  readonly ran: boolean;
  readonly elements: number;
  /** Of links that lead elsewhere than to a page of http. */
  readonly schemes: readonly string[];
  readonly text: string;
}

const look = `(() => ({
  ran: 'ran' in window,
  elements: document.querySelectorAll('img, script:not([src]), iframe, object, [onerror]').length,
  schemes: [...document.links].map((link) => new URL(link.href).protocol).filter((scheme) => scheme !== 'http:'),
  text: document.title + document.body.innerText,
}))()`;

async function expectHarmless(page: Page, view: string): Promise<void> {
  const { text, ...seen } = await page.evaluate<Seen>(look);
  expect({ view, ...seen }).toEqual({ view, ran: false, elements: 0, schemes: [] });
  expect(text).not.toMatch(/[\u202E\u200B]/);
}

export function hostileValueTests(world: World, browser: ReturnType<typeof useBrowser>, key: () => string): void {
  test('hostile text in every value of the API runs no code, leads nowhere and hides nothing in any view', async () => {
    const { page, problems } = await openConsole(browser, world.stack);
    await poisonAnswers(page);
    const views = ['/', '/accounts', '/accounts/alpha', '/keys', `/keys/one?key=${encodeURIComponent(key())}`];
    for (const view of [...views, '/owners/contoso', '/timeline', '/accounts/none']) {
      await page.goto(`${world.stack.host.url}/console${view}`);
      await page.locator('main').getByText(drawn).first().waitFor();
      await page.getByRole('link', { name: 'Timeline', exact: true }).waitFor();
      await expectHarmless(page, view);
    }
    expect(problems).toEqual([]);
  });

  test("hostile text in every value of a customer's page runs no code, and a link to a script does nothing", async () => {
    const link = (await got(201, world.api('POST', '/api/operator/owners/contoso/links', { hours: 1 }))).body;
    const { page, problems } = await browser.open('about:blank');
    await poisonAnswers(page, (answer) => {
      const body = poisoned(answer) as { application?: object };
      return 'terraform' in body
        ? { ...body, application: { ...body.application, consentAddress: 'javascript:window.ran=1' } }
        : body;
    });
    await page.goto(link.address);
    await page.getByRole('heading', { name: 'Keys of contoso' }).waitFor();
    await page.getByLabel('Key identifier').fill('https://contoso-next.vault.azure.net/keys/media');
    await page.keyboard.press('Enter');
    await page.getByRole('tab', { name: 'Bicep' }).waitFor();
    const consent = page.locator('a[href^="javascript:"]');
    await consent.click();
    await consent.evaluate((element) => (element as unknown as { remove(): void }).remove());
    await expectHarmless(page, 'customer');
    expect(problems.filter((problem) => !/javascript:|React has blocked/.test(problem))).toEqual([]);
  });

  test.runIf(isExhaustive)(
    'an address that encodes no text, names no time or carries an answer of a sign-in that was not begun shows the frame of the console',
    async () => {
      const { page, problems } = await openConsole(browser, world.stack);
      const signIn = `#state=1&error=x&error_description=${encodeURIComponent(hostile)}`;
      for (const [address, sign] of [
        ['/accounts/%E0%A4%A', 'The console has no such view.'],
        ['/owners/%', 'The console has no such view.'],
        ['/timeline?from=-271821-04-20T00:00:00Z', 'Try again'],
        [`/keys/one?key=${encodeURIComponent(hostile)}`, 'Try again'],
        [`/owners/${encodeURIComponent(hostile)}`, 'Try again'],
        [`/accounts?name=${encodeURIComponent(hostile)}`, 'Key status'],
        [`/drills${signIn}`, 'Drills and bounds'],
      ] as const) {
        await page.goto('about:blank');
        await page.goto(`${world.stack.host.url}/console${address}`);
        await page.locator('main').getByText(sign).first().waitFor();
        await page.getByRole('link', { name: 'Timeline', exact: true }).waitFor();
        await expectHarmless(page, address);
      }
      expect(problems).toEqual([]);
    },
  );

  test.runIf(isExhaustive)(
    'a value that cannot be drawn is an error of its view, and the other views still open',
    async () => {
      const { page } = await openConsole(browser, world.stack);
      await page.route('**/api/operator/accounts?*', (route) => route.fulfill({ json: { value: [null] } }));
      await page.getByRole('link', { name: 'Accounts', exact: true }).click();
      await page.getByText('The view cannot be drawn.').waitFor();
      await page.getByRole('link', { name: 'Drills and bounds', exact: true }).click();
      await page.getByRole('heading', { name: 'Drills and bounds' }).waitFor();
    },
  );

  test('the policy of the page refuses an inline script, text as HTML, eval, a call to another origin and a frame around it', async () => {
    const { page } = await openConsole(browser, world.stack);
    const refused = await page.evaluate<string[]>(`(async () => {
      const tries = {
        html: () => { document.createElement('div').innerHTML = '<b>x</b>'; },
        script: () => { document.createElement('script').text = 'window.ran = 1'; },
        evaluation: () => (0, eval)('1'),
        origin: () => fetch('https://keyward.invalid/'),
      };
      // What a debugger evaluates may use eval, and what it starts may not.
      await new Promise((resolve) => setTimeout(resolve));
      const refused = [];
      const violated = [];
      addEventListener('securitypolicyviolation', ({ effectiveDirective }) => violated.push(effectiveDirective));
      for (const [name, attempt] of Object.entries(tries)) {
        try { await attempt(); } catch { refused.push(name); }
      }
      await new Promise((resolve) => setTimeout(resolve));
      return [...refused, ...new Set(violated)];
    })()`);
    expect(refused).toEqual(
      expect.arrayContaining(['html', 'script', 'evaluation', 'origin', 'require-trusted-types-for', 'connect-src']),
    );
    const { page: other } = await browser.open(`${world.stack.host.url}/api/health/live`);
    await other.setContent(`<iframe src="${world.stack.host.url}/console/"></iframe>`);
    await other.waitForLoadState('networkidle');
    expect(other.frames()[1]?.url()).toMatch(/^chrome-error:/);
  });

  test('every answer below /console has the policy, and tells no other site where it was', async () => {
    for (const path of ['', '/', '/icon.svg', '/config.json', '/nothing.js', '/customer', '/accounts/alpha']) {
      const { headers } = await fetch(`${world.stack.host.url}/console${path}`, { redirect: 'manual' });
      expect(headers.get('content-security-policy')).toMatch(
        /^default-src 'none'; script-src 'self';.*frame-ancestors/,
      );
      expect(headers.get('referrer-policy')).toBe('no-referrer');
      expect(headers.get('x-content-type-options')).toBe('nosniff');
    }
  });

  test("a link's token is in no address that the browser shows, sends or stores after the page has opened, and the page loads again", async () => {
    const { address } = (await got(201, world.api('POST', '/api/operator/owners/contoso/links', { hours: 1 }))).body;
    const token = new URL(address).hash.slice(1);
    const { page } = await browser.open('about:blank');
    const sent: string[] = [];
    page.on('request', (request) => sent.push(request.url(), request.headers().referer ?? ''));
    await page.goto(address);
    await page.getByRole('heading', { name: 'Keys of contoso' }).waitFor();
    expect(page.url()).toBe(`${world.stack.host.url}/console/customer`);
    expect(sent.filter((text) => text.includes(token) && text !== address)).toEqual([]);
    const inCache = `fetch('/api/customer/keys', { cache: 'only-if-cached', mode: 'same-origin', headers: { authorization: 'Bearer ${token}' } }).then(({ ok }) => ok, () => false)`;
    expect(await page.evaluate(inCache)).toBe(false);
    await page.reload();
    await page.getByRole('heading', { name: 'Keys of contoso' }).waitFor();
  });
}
