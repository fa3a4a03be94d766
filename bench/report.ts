/** The output of a bench: figures with their goals, and progress for a waiting person. */

export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** As in `<= 120`. */
  readonly goal: string;
  readonly ok: boolean;
}

export type Goal = { readonly atMost: number } | { readonly atLeast: number } | { readonly exactly: number };

export interface Report {
  figure(name: string, value: number, unit: string, goal: Goal): void;
  progress(text: string): void;
  /** Runs another bench file in a process without shared SDK state, and reports its figures here. */
  inOwnProcess(file: URL): Promise<void>;
}

/** The default export of a bench file. */
export type Bench = (report: Report) => Promise<void>;

export function judged(name: string, value: number, unit: string, goal: Goal): Figure {
  const rounded = Math.round(value * 1000) / 1000;
  if ('atMost' in goal) return { name, value: rounded, unit, goal: `<= ${goal.atMost}`, ok: value <= goal.atMost };
  if ('atLeast' in goal) return { name, value: rounded, unit, goal: `>= ${goal.atLeast}`, ok: value >= goal.atLeast };
  return { name, value: rounded, unit, goal: `= ${goal.exactly}`, ok: value === goal.exactly };
}

/** Aligned, numbers to the right. */
export function tableOf(figures: readonly Figure[]): string {
  const cells = figures.map(({ name, value, unit, goal, ok }) => [
    name,
    String(value),
    unit,
    goal,
    ok ? 'ok' : 'MISSED',
  ]);
  const rows = [['figure', 'value', 'unit', 'goal', ''], ...cells];
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  const aligned = (row: readonly string[]) =>
    row.map((cell, column) => (column === 1 ? cell.padStart(widths[1] ?? 0) : cell.padEnd(widths[column] ?? 0)));
  return rows.map((row) => aligned(row).join('  ').trimEnd()).join('\n');
}
