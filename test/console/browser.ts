/** A real browser for the tests of the console: Chromium of an npm package, or the one of CHROME_PATH. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import chromium from '@sparticuz/chromium';
import { type Browser, type BrowserContextOptions, type Page, chromium as playwright } from 'playwright-core';
import { afterAll, beforeAll, expect } from 'vitest';
import type { Stack } from '../../src/local/stack.ts';

/**
 * A machine that is busy with other work takes longer for each step; a test fails by what is shown, not by how fast.
 */
export const patienceMs = 45_000;
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

export async function launch(): Promise<Browser> {
  const executablePath = process.env.CHROME_PATH ?? (await chromium.executablePath());
  return playwright.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--font-render-hinting=none'] });
}

export interface OpenPage {
  readonly page: Page;
  /** Violations of the Content-Security-Policy, and errors that no code has caught. */
  readonly problems: readonly string[];
  /** Origins that the page has called. */
  readonly origins: ReadonlySet<string>;
}

/** One browser for a test file. */
export function useBrowser() {
  let browser: Browser | undefined;
  beforeAll(async () => {
    browser = await launch();
  });
  afterAll(async () => {
    // Pages read again and again. A route that is answering one at the end would fail when its page is gone.
    const pages = browser?.contexts().flatMap((context) => context.pages()) ?? [];
    await Promise.all(pages.map((page) => page.unrouteAll({ behavior: 'ignoreErrors' })));
    await browser?.close();
  });
  return {
    async open(address: string, options: BrowserContextOptions = {}) {
      if (browser === undefined) throw new Error('The browser starts when the tests begin.');
      const zone = { locale: 'en-GB', timezoneId: 'Europe/Berlin', colorScheme: 'light' } as const;
      const context = await browser.newContext({
        ...zone,
        permissions: ['clipboard-read', 'clipboard-write'],
        ...options,
      });
      context.setDefaultTimeout(patienceMs);
      const page = await context.newPage();
      const problems: string[] = [];
      const origins = new Set<string>();
      page.on('pageerror', (error) => problems.push(error.message));
      page.on('console', (message) => {
        if (/Content.Security.Policy/i.test(message.text())) problems.push(message.text());
      });
      page.on('request', (request) => origins.add(new URL(request.url()).origin));
      await page.goto(address);
      return { page, problems, origins };
    },
    /** By user: a tab whose session is used again, because a sign-in takes as long as many tests. */
    signedIn: new Map<string, OpenPage & { readonly problems: string[]; readonly origins: Set<string> }>(),
  };
}

/** Opens a view of the console, in the tab in which the user has signed in already. */
export async function openConsole(
  browser: ReturnType<typeof useBrowser>,
  stack: Stack,
  path = '/',
  user = 'administrator',
): Promise<OpenPage> {
  const known = browser.signedIn.get(user);
  if (known === undefined) {
    const opened = await signIn(browser, stack, path, { user });
    browser.signedIn.set(user, opened);
    return opened;
  }
  await known.page.unrouteAll({ behavior: 'ignoreErrors' });
  // The page before makes no more calls, which would count as those of the view.
  await known.page.goto('about:blank');
  known.problems.length = 0;
  known.origins.clear();
  await known.page.goto(`${stack.host.url}/console${path}`);
  await known.page.getByText(`${user}@operator.example`).waitFor();
  return known;
}

/** Opens a view as the browser's Back does, which costs less than a load of the page. */
export const visit = (page: Page, path: string): Promise<unknown> =>
  page.evaluate(
    `history.pushState(null, '', ${JSON.stringify(`/console${path}`)}); dispatchEvent(new PopStateEvent('popstate'))`,
  );

/** Opens a view of the console in a new tab, and signs in at the local issuer. */
export async function signIn(
  browser: ReturnType<typeof useBrowser>,
  { host }: Stack,
  path = '/',
  { user = 'administrator', ...options }: BrowserContextOptions & { user?: string } = {},
) {
  const opened = await browser.open(`${host.url}/console${path}`, options);
  await opened.page.getByRole('button', { name: user, exact: true }).click();
  await opened.page.getByText(`${user}@operator.example`).waitFor();
  return opened;
}

/** The rules of axe-core that the page breaks, each with the first element that breaks it and what axe-core saw. */
async function accessibilityViolations(page: Page): Promise<string[]> {
  if (!(await page.evaluate<boolean>("'axe' in window"))) await page.evaluate(axe);
  return page.evaluate(async () => {
    type Found = { violations: { id: string; help: string; nodes: { html: string; failureSummary?: string }[] }[] };
    const { violations } = await (globalThis as unknown as { axe: { run(): Promise<Found> } }).axe.run();
    return violations.map(({ id, help, nodes: [first] }) => `${id}: ${help}: ${first?.html} ${first?.failureSummary}`);
  });
}

/** The rows of a table get their heights after the width of the page has changed, so the first look can be too early. */
export const expectAccessible = (page: Page): Promise<void> =>
  expect.poll(() => accessibilityViolations(page), { timeout: patienceMs }).toEqual([]);
