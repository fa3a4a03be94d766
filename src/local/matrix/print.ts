/** Prints the matrix as a table. */
import type { Outcome } from './run.ts';
import type { SetTimeOutcome } from './setTime.ts';

interface Column {
  readonly title: string;
  readonly width: number;
  readonly text: (outcome: Outcome) => string;
}

/** "Enabled Suspect" is "Suspect": an account is blocked exactly when its watch is Inaccessible. */
const short = (state: string | undefined): string => state?.split(' ').at(-1) ?? '-';
const inSeconds = (value: number | undefined): string => (value === undefined ? '' : `${value} s`);

const columns: readonly Column[] = [
  { title: 'cause', width: 24, text: ({ cause }) => cause ?? '(none)' },
  { title: 'injected', width: 100, text: ({ row }) => row.name },
  { title: 'evidence', width: 10, text: ({ row }) => row.evidence },
  { title: '1 look', width: 12, text: ({ after1 }) => short(after1) },
  { title: '2 looks', width: 12, text: ({ after2 }) => short(after2) },
  { title: '3 looks', width: 12, text: ({ after3 }) => short(after3) },
  { title: '10 min', width: 12, text: ({ afterTenMinutes }) => short(afterTenMinutes) },
  { title: 'after the end', width: 13, text: ({ afterEnd }) => short(afterEnd) },
  { title: 'refused', width: 8, text: ({ refusedAfterSeconds }) => inSeconds(refusedAfterSeconds) },
  { title: 'restored', width: 8, text: ({ restoredAfterSeconds }) => inSeconds(restoredAfterSeconds) },
];

const joined = (cells: readonly string[]): string =>
  columns
    .map(({ width }, index) => (cells[index] ?? '').padEnd(width))
    .join('  ')
    .trimEnd();

export const headLine = joined(columns.map(({ title }) => title));

export function lineOf(outcome: Outcome): string {
  const line = joined(columns.map(({ text }) => text(outcome)));
  return [line, ...outcome.differences.map((difference) => `    NOT AS EXPECTED: ${difference}`)].join('\n');
}

export function summaryOf(outcomes: readonly Outcome[]): string {
  const count = (fits: (outcome: Outcome) => boolean) => outcomes.filter(fits).length;
  const causes = new Set(outcomes.flatMap(({ cause }) => cause ?? []));
  const slowest = (values: readonly (number | undefined)[]) => Math.max(0, ...values.flatMap((value) => value ?? []));
  return [
    '',
    `${outcomes.length} rows, ${count(({ differences }) => differences.length === 0)} as expected; ${causes.size} distinct causes; ` +
      `wrong disables: ${count(({ wrongDisable }) => wrongDisable)}; missed disables: ${count(({ missedDisable }) => missedDisable)}; ` +
      `slowest restore: ${slowest(outcomes.map(({ restoredAfterSeconds }) => restoredAfterSeconds))} s`,
  ].join('\n');
}

export function toJson({ row, ...outcome }: Outcome): Record<string, unknown> {
  return { name: row.name, evidence: row.evidence, ...outcome };
}

export function lineOfRefusal({ row, reported, isUnchanged }: SetTimeOutcome): string {
  const [cause, injected] = columns;
  const line = [row.cause.padEnd(cause?.width ?? 0), row.name.padEnd(injected?.width ?? 0), row.evidence].join('  ');
  if (reported !== row.cause) return `${line}\n    NOT AS EXPECTED: ${reported}`;
  return isUnchanged ? line : `${line}\n    NOT AS EXPECTED: the account has changed`;
}

export function toJsonOfRefusal({ row, reported, isUnchanged }: SetTimeOutcome): Record<string, unknown> {
  return { name: row.name, evidence: row.evidence, cause: row.cause, reported, isUnchanged };
}
