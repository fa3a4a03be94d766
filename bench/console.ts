/**
 * `npm run bench -- console`: the size of the console, and how long a view takes when it is first shown, from the click
 * to its drawn rows, compared with the API calls that it needs. The rest is the console's: loading the view's code,
 * drawing. A list of 10,000 rows must scroll as smoothly as a short one. Loading the page itself is printed beside it:
 * reading the files from the browser's cache, and the stored sign-in.
 */
import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import type { Page } from 'playwright-core';
import { caller } from '../src/local/client.ts';
import { location, operatorToken } from '../src/local/operator.ts';
import { startStack } from '../src/local/stack.ts';
import { launch } from '../test/console/browser.ts';
import type { Bench } from './report.ts';

const rounds = 8;
const accounts = 50;
const built = fileURLToPath(new URL('../dist/console/', import.meta.url));

const consoleBench: Bench = async ({ figure, progress }) => {
  figure('console.bundleKiB', gzippedBytes() / 1024, 'KiB', { atMost: 350 });
  const stack = await startStack({ settings: { KEYWARD_AUTH: 'entra' }, timers: false });
  const browser = await launch();
  try {
    const api = caller(stack.host.url, { authorization: `Bearer ${await operatorToken(stack.identity)}` });
    for (let n = 0; n < accounts; n++) {
      await api('PUT', `/api/accounts/tenant-${n}`, { location, properties: { owner: `owner-${n % 7}` } });
    }
    const page = await browser.newPage();
    await page.goto(`${stack.host.url}/console/timeline`);
    await page.getByRole('button', { name: 'administrator' }).click();
    const ratios: number[] = [];
    for (let round = 0; round < rounds; round++) {
      await page.getByRole('row').nth(1).waitFor();
      const pageMs = await page.evaluate<number>("performance.getEntriesByName('firstView')[0].startTime");
      await page.evaluate("performance.clearMarks('firstView')");
      const clickedAt = await page.evaluate<number>(clickAccounts);
      await page.getByRole('link', { name: 'tenant-1', exact: true }).waitFor();
      const { viewMs, callsMs } = await page.evaluate<{ viewMs: number; callsMs: number }>(firstView(clickedAt));
      progress(
        `console: view ${viewMs.toFixed(0)} ms, its API calls ${callsMs.toFixed(0)} ms; page ${pageMs.toFixed(0)} ms`,
      );
      // The first round fills the browser's caches.
      if (round > 0) ratios.push(viewMs / callsMs);
      await page.goto(`${stack.host.url}/console/timeline`);
    }
    figure('console.firstViewOfApi', ratios.toSorted((a, b) => a - b)[Math.floor(ratios.length / 2)] ?? 0, 'times', {
      atMost: 1.5,
    });
    const [one] = (await api('GET', '/api/operator/accounts?name=tenant-1')).body.value;
    const few = await frameMs(page, one, 100, stack.host.url);
    const many = await frameMs(page, one, 10_000, stack.host.url);
    progress(
      `console: a frame of a scrolled list takes ${few.toFixed(1)} ms with 100 rows, ${many.toFixed(1)} ms with 10,000`,
    );
    figure('console.scrollGrowth', many / few, 'times', { atMost: 1.5 });
  } finally {
    await browser.close();
    await stack.stop();
  }
};

/** The mean time of a frame while a list of this length scrolls. The rows are copies of one that the API returned. */
async function frameMs(page: Page, one: object, rows: number, host: string): Promise<number> {
  await page.unrouteAll();
  const value = Array.from({ length: rows }, (_, n) => ({ ...one, name: `copy-${n}`, accountId: `id-${n}` }));
  await page.route('**/api/operator/accounts*', (route) => route.fulfill({ json: { value } }));
  await page.goto(`${host}/console/accounts`);
  await page.getByRole('link', { name: 'copy-1', exact: true }).waitFor();
  return page.evaluate<number>(scroll);
}

const scroll = `(async () => {
  const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
  const begin = await frame();
  for (let n = 0; n < 120; n++) {
    window.scrollBy(0, 30);
    await frame();
  }
  return ((await frame()) - begin) / 121;
})()`;

const clickAccounts = `(() => {
  const at = performance.now();
  document.querySelector('nav a[href="/console/accounts"]').click();
  return at;
})()`;

/** The console marks the moment at which the first rows of a list are drawn; the browser times the calls. */
const firstView = (clickedAt: number) => `(() => {
  const [mark] = performance.getEntriesByName('firstView');
  const calls = performance
    .getEntriesByType('resource')
    .filter((call) => call.name.includes('/api/operator/accounts') && call.startTime > ${clickedAt})
    .filter((call) => call.responseEnd <= mark.startTime);
  const begin = Math.min(...calls.map((call) => call.startTime));
  const end = Math.max(...calls.map((call) => call.responseEnd));
  return { viewMs: mark.startTime - ${clickedAt}, callsMs: end - begin };
})()`;

const gzippedBytes = (): number =>
  globSync('**/*.{js,css,html,svg}', { cwd: built }).reduce(
    (sum, name) => sum + gzipSync(readFileSync(built + name)).length,
    0,
  );

export default consoleBench;
