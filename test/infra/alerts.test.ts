/** The alert rules that are deployed, beside what docs/operations.md says to watch and what the code logs. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { sourceOfApp } from '../settings.ts';
import { asShipped } from './deployment.ts';

const operations = readFileSync(fileURLToPath(new URL('../../docs/operations.md', import.meta.url)), 'utf8');
const [, section = ''] = /^## What to watch$([\s\S]*?)(?=^## |$(?![\s\S]))/m.exec(operations) ?? [];
const rows = section.split('\n').filter((line) => line.startsWith('| '));
const firstCells = (row: string) => row.split(' | ').slice(0, 2).join(' | ');

const source = sourceOfApp();
const queries: string[] = asShipped
  .of('Microsoft.Insights/scheduledQueryRules')
  .map(({ properties }) => properties.criteria.allOf[0].query);
const watched = queries.flatMap((query) => [...query.matchAll(/startswith "([^"]+)"/g)].map(([, line = '']) => line));

describe('the alert rules', () => {
  it('watch only log lines that the code writes', () => {
    const messages = watched.filter((line) => line !== 'Metric {');
    expect(messages.length).toBeGreaterThan(25);
    expect(
      messages.filter((line) => !source.includes(`'${line}'`)),
      'Rename it in infra/modules/alerts.bicep',
    ).toEqual([]);
  });

  it('watch every log line that docs/operations.md says to watch, also where a row names several', () => {
    const signals = rows.filter((row) => /^\| log (?:error|warning|line) /.test(row)).map((row) => row.split(' | ')[0]);
    const others = rows.filter((row) => !row.startsWith('| log ')).map(firstCells);
    const lines = [...signals, ...others].flatMap((text = '') =>
      [...text.matchAll(/(?<!= )`([A-Z][a-z]*(?: [^`]+)?)`/g)].map(([, message = '']) => message),
    );
    const messages = lines.filter((line) => source.includes(`'${line}'`));
    expect(messages.length).toBeGreaterThan(25);
    const missing = messages.filter((message) => !watched.includes(message));
    expect(missing, 'Add an alert to infra/modules/alerts.bicep, and run: npm run infra -- --write').toEqual([]);
  });

  it('watch every metric that docs/operations.md says to watch, by the label and value that it names', () => {
    const named = rows.flatMap((row) =>
      [
        ...firstCells(row).matchAll(/`(keyward\.[a-z.]+)`(?: with `(\w+)` = `(\w+)`(?:, or `(\w+)`)?| over (\d+))?/g),
      ].flatMap(([, metric = '', label, first, second, over]) =>
        [first, second ?? first].map((word) => [
          `tostring(fields.metric) == "${metric}"`,
          ...(label === undefined ? [] : [`tostring(fields.${label}) == "${word}"`]),
          ...(over === undefined ? [] : [`todouble(fields.value) > ${over}`]),
        ]),
      ),
    );
    expect(named.length).toBeGreaterThan(6);
    const missing = named.filter((parts) => !queries.some((query) => parts.every((part) => query.includes(part))));
    expect(missing, 'Add an alert to infra/modules/alerts.bicep, and run: npm run infra -- --write').toEqual([]);
  });

  it('watch readiness where docs/operations.md does', () => {
    expect(rows.some((row) => row.startsWith('| readiness | 503'))).toBe(true);
    expect(queries.some((query) => query.includes('"/api/health/ready"') && query.includes('"503"'))).toBe(true);
  });
});
