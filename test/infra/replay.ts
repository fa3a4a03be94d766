/** Evaluates the deployed alert rules over the log that the laboratory's app writes, in virtual time. */
import type { Lab } from '../../src/local/lab/lab.ts';
import { asShipped } from './deployment.ts';
import { evaluatedIn, firesAt, type Row, type Rule } from './kql.ts';

export const minute = 60_000;
const windows: Readonly<Record<string, number>> = { PT5M: 5, PT10M: 10, PT15M: 15, PT1H: 60 };

export interface DeployedRule extends Rule {
  /** The address of the section that says what to do. */
  readonly description: string;
  readonly dimensions: readonly string[];
}

export const rules: readonly DeployedRule[] = asShipped
  .of('Microsoft.Insights/scheduledQueryRules')
  .map(({ properties }) => {
    const [criterion] = properties.criteria.allOf;
    return {
      name: String(properties.displayName).split(': ')[1] ?? '',
      description: properties.description,
      query: criterion.query,
      windowMs: (windows[properties.windowSize] ?? Number.NaN) * minute,
      operator: criterion.operator,
      threshold: criterion.threshold,
      dimensions: criterion.dimensions.map(({ name }: { name: string }) => name),
    };
  });

/** What the person on call receives: the name of the rule, the link of its description, and its dimensions. */
export interface FiredAlert {
  readonly name: string;
  readonly description: string;
  readonly dimensions: Readonly<Record<string, string>>;
}

export interface Replay {
  /** Lets time pass in a service whose timer writes its line. */
  minutes(count: number): Promise<void>;
  /** The rules that fire in some minute of the replay. */
  firing(): string[];
  /** The first alert of the rule. @throws Error when it does not fire */
  alertOf(name: string): FiredAlert;
}

/** A replay of what the app logs from now on. `lateMs`: rules are evaluated from then on. */
export function startReplay(lab: Lab, lateMs = 0): Replay {
  const from = lab.clock.now() + lateMs;
  let read = lab.log.length;
  const lines: Row[] = [];

  /** The lines that were logged since, as of now. */
  function take(): void {
    const logged = lab.log.slice(read).map(({ message, fields }) => ({
      TimeGenerated: lab.clock.now(),
      Message: `${message} ${JSON.stringify(fields)}`,
    }));
    read = lab.log.length;
    lines.push(...logged);
  }

  /** Every minute of the replay, the first one first. */
  function moments(): number[] {
    take();
    const last = lab.clock.now();
    return Array.from({ length: Math.floor((last - from) / minute) + 1 }, (_, n) => last - n * minute).toReversed();
  }

  return {
    async minutes(count) {
      for (let passed = 0; passed < count; passed++) {
        await lab.advance(minute);
        take();
        lines.push({ TimeGenerated: lab.clock.now(), Message: 'Swept all vaults {"ranges":2}' });
      }
    },
    firing() {
      const all = moments();
      return rules
        .filter((rule) => all.some((now) => firesAt(rule, now, { AppTraces: lines })))
        .map(({ name }) => name);
    },
    alertOf(name) {
      const rule = rules.find((one) => one.name === name);
      const at = moments().find((now) => rule !== undefined && firesAt(rule, now, { AppTraces: lines }));
      if (rule === undefined || at === undefined) throw new Error(`The alert '${name}' does not fire.`);
      const [found = {}] = evaluatedIn(rule, at, { AppTraces: lines });
      const dimensions = Object.fromEntries(rule.dimensions.map((column) => [column, String(found[column])]));
      return { name, description: rule.description, dimensions };
    },
  };
}
