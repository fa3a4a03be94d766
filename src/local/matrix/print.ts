/** Prints the matrix as a table of at most 120 columns, grouped by cause, with colour on a terminal. */
import { styleText } from 'node:util';
import type { Outcome } from './run.ts';
import type { SetTimeOutcome } from './setTime.ts';

const nameWidth = 66;
const evidenceWidth = 10;

/** One letter for each status of a key, and its colour. */
const letters = {
  Accessible: ['A', 'green'],
  Suspect: ['S', 'yellow'],
  Inaccessible: ['I', 'red'],
  Unreachable: ['U', 'blue'],
} as const;

/** "Enabled Suspect" is "Suspect": an account is blocked exactly when its watch is Inaccessible. */
function letterOf(state: string | undefined, width: number): string {
  const status = state?.split(' ').at(-1) as keyof typeof letters | undefined;
  const [letter, colour] = (status && letters[status]) ?? ['-', 'gray'];
  return styleText(colour, letter) + ' '.repeat(width - 1);
}

const inSeconds = (value: number | undefined): string => (value === undefined ? '' : `${value} s`).padStart(6);

export const headLines: readonly string[] = [
  `Status after each look: ${Object.entries(letters)
    .map(([status, [letter, colour]]) => `${styleText(colour, letter)} ${status}`)
    .join(', ')}`,
  `${'cause and injected fault'.padEnd(nameWidth + 2)}  ${'evidence'.padEnd(evidenceWidth)}  1 2 3  10min  end   blocked  restored`,
];

/**
 * Causes in the order in which the rows first name them; a row without a cause is a fault that Keyward must not notice.
 */
export function linesOf(outcomes: readonly Outcome[]): readonly string[] {
  const groups = Map.groupBy(outcomes, ({ cause }) => cause ?? '(none)');
  return [...groups].flatMap(([cause, rows]) => [styleText('bold', cause), ...rows.flatMap(linesOfRow)]);
}

function linesOfRow(outcome: Outcome): readonly string[] {
  const { row, after1, after2, after3, afterTenMinutes, afterEnd, refusedAfterSeconds, restoredAfterSeconds } = outcome;
  const [name = '', ...more] = wrapped(row.name);
  const looks = [after1, after2, after3].map((state) => letterOf(state, 1)).join(' ');
  const times = `${inSeconds(refusedAfterSeconds)}  ${inSeconds(restoredAfterSeconds)}`.trimEnd();
  const first = `  ${name.padEnd(nameWidth)}  ${row.evidence.padEnd(evidenceWidth)}  ${looks}  ${letterOf(afterTenMinutes, 5)}  ${letterOf(afterEnd, 5)} ${times}`;
  const differences = outcome.differences.map((one) => styleText('red', `    NOT AS EXPECTED: ${one}`));
  return [first.trimEnd(), ...more.map((part) => `    ${part}`), ...differences];
}

/** Words in lines of the width of a name; lines after the first are indented by two more. */
function wrapped(name: string): readonly string[] {
  const lines = [''];
  for (const word of name.split(' ')) {
    const last = lines.at(-1) ?? '';
    const room = lines.length === 1 ? nameWidth : nameWidth - 2;
    if (last !== '' && last.length + 1 + word.length > room) lines.push(word);
    else lines[lines.length - 1] = last === '' ? word : `${last} ${word}`;
  }
  return lines;
}

export function summaryOf(outcomes: readonly Outcome[]): string {
  const count = (fits: (outcome: Outcome) => boolean) => outcomes.filter(fits).length;
  const causes = new Set(outcomes.flatMap(({ cause }) => cause ?? []));
  const slowest = (values: readonly (number | undefined)[]) => Math.max(0, ...values.flatMap((value) => value ?? []));
  return [
    '',
    `${outcomes.length} rows, ${count(({ differences }) => differences.length === 0)} as expected; ${causes.size} distinct causes`,
    `wrong disables: ${count(({ wrongDisable }) => wrongDisable)}; missed disables: ${count(({ missedDisable }) => missedDisable)}; ` +
      `slowest restore: ${slowest(outcomes.map(({ restoredAfterSeconds }) => restoredAfterSeconds))} s`,
  ].join('\n');
}

export function toJson({ row, ...outcome }: Outcome): Record<string, unknown> {
  return { name: row.name, evidence: row.evidence, ...outcome };
}

export function linesOfRefusals(outcomes: readonly SetTimeOutcome[]): readonly string[] {
  const groups = Map.groupBy(outcomes, ({ row }) => row.cause);
  return [...groups].flatMap(([cause, rows]) => [styleText('bold', cause), ...rows.flatMap(linesOfRefusal)]);
}

function linesOfRefusal({ row, reported, isUnchanged }: SetTimeOutcome): readonly string[] {
  const [name = '', ...more] = wrapped(row.name);
  const lines = [`  ${name.padEnd(nameWidth)}  ${row.evidence}`, ...more.map((part) => `    ${part}`)];
  if (reported !== row.cause) return [...lines, styleText('red', `    NOT AS EXPECTED: ${reported}`)];
  return isUnchanged ? lines : [...lines, styleText('red', '    NOT AS EXPECTED: the account has changed')];
}

export function toJsonOfRefusal({ row, reported, isUnchanged }: SetTimeOutcome): Record<string, unknown> {
  return { name: row.name, evidence: row.evidence, cause: row.cause, reported, isUnchanged };
}
