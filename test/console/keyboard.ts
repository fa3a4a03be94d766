/** A user without a mouse. */
import type { Page } from 'playwright-core';
import { expect } from 'vitest';

interface Focused {
  /** The visible text, label or value of the element. */
  readonly name: string;
  /** A style of the element, its frame or a pseudo-element of either shows the focus. */
  readonly isVisible: boolean;
}

/** An input is inside its frame, which shows the focus. The browser's own ring is an outline. */
const focused = `(() => {
  const it = document.activeElement;
  const shows = (style) =>
    (style.outlineStyle !== 'none' && style.outlineWidth !== '0px') || style.boxShadow !== 'none';
  const styles = [it, it.parentElement].flatMap((one) => [getComputedStyle(one), getComputedStyle(one, '::after')]);
  const label = it.labels?.[0]?.textContent ?? '';
  return { name: (label || it.getAttribute('aria-label') || it.textContent || '').trim(), isVisible: it.matches(':focus-visible') && styles.some(shows) };
})()`;

const mostSteps = 60;

/**
 * Tab after Tab to the element of this name. Every element on the way shows that it has the focus. Returns their names.
 */
export async function tabTo(page: Page, name: string | RegExp): Promise<string[]> {
  const passed: string[] = [];
  for (let step = 0; step < mostSteps; step++) {
    await page.keyboard.press('Tab');
    const seen = await page.evaluate<Focused>(focused);
    passed.push(seen.name);
    if (!seen.isVisible) expect.fail(`The focus on '${seen.name}' is not visible.`);
    if (typeof name === 'string' ? seen.name === name : name.test(seen.name)) return passed;
  }
  return expect.fail(`No Tab leads to ${name}. Passed: ${passed.join(', ')}`);
}

export async function press(page: Page, name: string | RegExp, key: 'Enter' | 'Space' = 'Enter'): Promise<string[]> {
  const passed = await tabTo(page, name);
  await page.keyboard.press(key);
  return passed;
}

export const nameOfFocus = async (page: Page): Promise<string> => (await page.evaluate<Focused>(focused)).name;
