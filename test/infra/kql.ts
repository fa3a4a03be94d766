/** Evaluates the queries of the alert rules: the part of the Kusto query language that infra/modules/alerts.bicep uses. */

export type Row = Readonly<Record<string, unknown>>;

/** @throws Error for what no rule has used so far */
function evaluate(query: string, tables: Readonly<Record<string, readonly Row[]>>): readonly Row[] {
  const [table = '', ...steps] = query.split(' | ').map((part) => part.trim());
  return steps
    .flatMap((step) => step.split(/ (?=\| )/).map((one) => one.replace(/^\| /, '')))
    .reduce(applied, tables[table] ?? []);
}

function applied(rows: readonly Row[], step: string): readonly Row[] {
  const [, verb, rest = ''] = /^(where|extend|summarize) (.*)$/s.exec(step) ?? [];
  switch (verb) {
    case 'where':
      return rows.filter((row) =>
        parts('or', rest).some((either) => parts('and', either).every((one) => holds(one.trim(), row))),
      );
    case 'extend':
      return rows.map((row) => ({ ...row, ...assigned(rest, (text) => evaluated(text, row)) }));
    case 'summarize':
      return summarized(rows, rest);
    default:
      throw new Error(`The evaluator does not know: ${step}`);
  }
}

/** The words stand inside of messages too: only those before another comparison count. */
const parts = (word: 'and' | 'or', text: string): string[] =>
  text.split(new RegExp(` ${word} (?=\\w+(?:\\(fields[^)]+\\))? (?:startswith|endswith|==|>=|>) )`));

function holds(condition: string, row: Row): boolean {
  const [, left = '', operator, right = ''] = /^(.+?) (startswith|endswith|==|>=|>) (.+)$/.exec(condition) ?? [];
  const [a, b] = [evaluated(left, row), evaluated(right, row)];
  switch (operator) {
    case 'startswith':
      return String(a).startsWith(String(b));
    case 'endswith':
      return String(a).endsWith(String(b));
    case '==':
      return a === b;
    case '>':
      return Number(a) > Number(b);
    case '>=':
      return Number(a) >= Number(b);
    default:
      throw new Error(`The evaluator does not know: ${condition}`);
  }
}

const minuteMs = 60_000;

function evaluated(text: string, row: Row): unknown {
  if (text.startsWith('parse_json(')) return fieldsIn(String(row.Message));
  const [, quoted] = /^"(.*)"$/.exec(text) ?? [];
  if (quoted !== undefined) return quoted;
  const [, count, unit] = /^(\d+)(m?)$/.exec(text) ?? [];
  if (count !== undefined) return Number(count) * (unit === 'm' ? minuteMs : 1);
  const [, end, start] = /^(\w+) - (\w+)$/.exec(text) ?? [];
  if (end !== undefined && start !== undefined) return Number(row[end]) - Number(row[start]);
  // A name that is also a word of the language is in brackets.
  const [, convert, field] = /^(\w+)\(fields(?:\.|\[")(\w+)(?:"\])?\)$/.exec(text) ?? [];
  if (field === undefined) return row[text];
  const value = (row.fields as Row | undefined)?.[field];
  return convert === 'tostring' ? String(value ?? '') : Number(value);
}

/** A line is a constant message, then its fields as JSON. */
function fieldsIn(message: string): Row {
  const from = message.indexOf('{');
  return from < 0 ? {} : (JSON.parse(message.slice(from)) as Row);
}

const assigned = (text: string, value: (text: string) => unknown): Row =>
  Object.fromEntries(
    text
      .split(/, (?=\w+ = )/)
      .map((one) => one.split(/ = (.*)/s))
      .map(([name = '', expression = '']) => [name, value(expression)]),
  );

function summarized(rows: readonly Row[], text: string): readonly Row[] {
  const [aggregates = '', by = ''] = text.split(' by ');
  const columns = by === '' ? [] : by.split(', ');
  const groups = Map.groupBy(rows, (row) => JSON.stringify(columns.map((column) => row[column])));
  return [...groups.values()].map((group) => ({
    ...Object.fromEntries(columns.map((column) => [column, group[0]?.[column]])),
    ...assigned(aggregates, (expression) => aggregate(expression, group)),
  }));
}

function aggregate(expression: string, group: readonly Row[]): number {
  const [, name, of = ''] = /^(min|max|sum)\((.+)\)$/.exec(expression) ?? [];
  const values = group.map((row) => Number(evaluated(of, row)));
  switch (name) {
    case 'min':
      return Math.min(...values);
    case 'max':
      return Math.max(...values);
    case 'sum':
      return values.reduce((sum, value) => sum + value, 0);
    default:
      throw new Error(`The evaluator does not know: ${expression}`);
  }
}

export interface Rule {
  readonly name: string;
  readonly query: string;
  readonly windowMs: number;
  readonly operator: string;
  readonly threshold: number;
}

type Tables = Readonly<Record<string, readonly Row[]>>;

/** The rows that the rule's query finds in its window before the moment. */
export function evaluatedIn(rule: Rule, now: number, tables: Tables): readonly Row[] {
  const inWindow = Object.fromEntries(
    Object.entries(tables).map(([name, rows]) => [
      name,
      rows.filter(({ TimeGenerated: at }) => Number(at) > now - rule.windowMs && Number(at) <= now),
    ]),
  );
  return evaluate(rule.query, inWindow);
}

/** Whether the rule fires at the moment, over its window before it. */
export function firesAt(rule: Rule, now: number, tables: Tables): boolean {
  const found = evaluatedIn(rule, now, tables).length;
  return rule.operator === 'LessThan' ? found < rule.threshold : found > rule.threshold;
}
