/** Evaluates the deployed alert rules over the log that the app writes, in virtual time. */
import { purgeDeleted } from '../../src/core/accounts/purgeDeleted.ts';
import { announceWaiting, wakeAnnouncing } from '../../src/core/announcements/outboxPass.ts';
import { maintainRings } from '../../src/core/rings/maintainRings.ts';
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
  /** A request that the platform logs. */
  request(url: string, status: number): void;
  /** The rules that fire in some minute of the replay. */
  firing(): string[];
  /** The first alert of the rule. @throws Error when it does not fire */
  alertOf(name: string): FiredAlert;
}

/** What is made wrong, and the rules that fire for it. */
export interface Fault {
  readonly rules: readonly string[];
  play(replay: Replay, lab: Lab): Promise<unknown>;
}

export type Faults = Readonly<Record<string, Fault>>;

export const rulesOf = (faults: Readonly<Record<string, Pick<Fault, 'rules'>>>): string[] =>
  Object.values(faults).flatMap((fault) => fault.rules);

/** What the timer does after its sweep, and the messages that this sends. */
async function afterSweep({ service, dailyQueue, clock }: Lab): Promise<void> {
  await Promise.all([maintainRings(service), wakeAnnouncing(service), purgeDeleted(service)]);
  for (let at = dailyQueue.nextAt(); at !== undefined && at <= clock.now(); at = dailyQueue.nextAt())
    await dailyQueue.deliver(async (message) => {
      if (message.visit === 'announcements') await announceWaiting(message.after, service);
    });
}

/** A replay of what the laboratory's app logs from now on. `lateMs`: rules are evaluated from then on. */
export function startReplay(lab: Lab, lateMs = 0): Replay {
  return replayOf(
    lab,
    async () => {
      await lab.advance(minute);
      await afterSweep(lab);
    },
    lateMs,
  );
}

/** A replay of an app: its log, its clock, and how a minute passes for it. */
export function replayOf(
  { clock, log }: Pick<Lab, 'clock' | 'log'>,
  passMinute: () => Promise<unknown>,
  lateMs = 0,
): Replay {
  const from = clock.now() + lateMs;
  let read = log.length;
  const lines: Row[] = [];
  const requests: Row[] = [];
  const tables = { AppTraces: lines, AppRequests: requests };

  /** The lines that were logged since, as of now. */
  function take(): void {
    const logged = log.slice(read).map(({ message, fields }) => ({
      TimeGenerated: clock.now(),
      Message: `${message} ${JSON.stringify(fields)}`,
    }));
    read = log.length;
    lines.push(...logged);
  }

  /** Every minute of the replay that has a line in the longest window, the first one first. */
  function moments(): number[] {
    take();
    const last = clock.now();
    const all = Array.from({ length: Math.floor((last - from) / minute) + 1 }, (_, n) => last - n * minute);
    const times = [...lines, ...requests].map(({ TimeGenerated: at }) => Number(at));
    return all.toReversed().filter((now) => times.some((at) => at > now - 61 * minute && at <= now));
  }

  return {
    async minutes(count) {
      for (let passed = 0; passed < count; passed++) {
        await passMinute();
        take();
        lines.push({ TimeGenerated: clock.now(), Message: 'Swept all vaults {"ranges":2}' });
      }
    },
    request(url, status) {
      requests.push({ TimeGenerated: clock.now(), Url: url, ResultCode: String(status) });
    },
    firing() {
      const all = moments();
      return rules.filter((rule) => all.some((now) => firesAt(rule, now, tables))).map(({ name }) => name);
    },
    alertOf(name) {
      const rule = rules.find((one) => one.name === name);
      const at = moments().find((now) => rule !== undefined && firesAt(rule, now, tables));
      if (rule === undefined || at === undefined) throw new Error(`The alert '${name}' does not fire.`);
      const [found = {}] = evaluatedIn(rule, at, tables);
      const dimensions = Object.fromEntries(rule.dimensions.map((column) => [column, String(found[column])]));
      return { name, description: rule.description, dimensions };
    },
  };
}
