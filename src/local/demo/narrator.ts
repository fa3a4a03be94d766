/** Prints the demo's steps as they happen: text for people, or one JSON line for each step. */

export interface Step {
  /** A sentence. */
  readonly title: string;
  /** Does the step and checks it. Returns what changed, one line each. Throws when the result is not as expected. */
  readonly run: () => Promise<readonly string[]>;
}

export interface Narrator {
  chapter(title: string): void;
  step(step: Step): Promise<void>;
  /** Prints the closing line. True when every step passed. */
  close(): boolean;
}

export function createNarrator(json: boolean, write: (line: string) => void): Narrator {
  const isColoured = !json && process.stdout.isTTY === true;
  const paint = (code: number, text: string) => (isColoured ? `\u001b[${code}m${text}\u001b[0m` : text);
  let passed = 0;
  let failed = 0;

  return {
    chapter(title) {
      if (!json) write(`\n${paint(1, title)}`);
    },

    async step({ title, run }) {
      const began = performance.now();
      const outcome = await attempt(run);
      const ms = Math.round(performance.now() - began);
      if (outcome.ok) passed += 1;
      else failed += 1;
      if (json) return write(JSON.stringify({ step: title, ok: outcome.ok, ms, changed: outcome.lines }));
      const mark = outcome.ok ? paint(32, '✓') : paint(31, '✗');
      write(`  ${mark} ${title} ${paint(2, `(${duration(ms)})`)}`);
      for (const line of outcome.lines) write(paint(2, `      ${line}`));
    },

    close() {
      write(json ? JSON.stringify({ passed, failed }) : `\n${passed} passed, ${failed} failed`);
      return failed === 0;
    },
  };
}

async function attempt(run: Step['run']): Promise<{ ok: boolean; lines: readonly string[] }> {
  try {
    return { ok: true, lines: await run() };
  } catch (error) {
    return { ok: false, lines: [error instanceof Error ? error.message : String(error)] };
  }
}

const duration = (ms: number): string => (ms < 1000 ? `${ms} ms` : `${(ms / 1000).toFixed(1)} s`);
