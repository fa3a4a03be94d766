/** The workbook and its saved queries, beside the metrics and log lines that the app writes. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { sourceOfApp } from '../settings.ts';
import { asShipped } from './deployment.ts';
import { metricLabels } from './metricLabels.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const source = sourceOfApp();
const queries: readonly { readonly name: string; readonly section: string; readonly query: string }[] = JSON.parse(
  readFileSync(`${root}infra/modules/queries.json`, 'utf8'),
);

describe('the queries of the workbook', () => {
  it.each(queries)(
    'the queries of the workbook read with $name only a metric or a line that the app logs, and fields that it has',
    ({ query }) => {
      const fields = [...query.matchAll(/fields(?:\.|\[")(\w+)/g)].map(([, field = '']) => field);
      const metric = /fields\.metric\) == "([^"]+)"/.exec(query)?.[1];
      const message = /Message startswith "([^"]+)"/.exec(query)?.[1];
      if (metric !== undefined) {
        expect([...metricLabels.keys()]).toContain(metric);
        const known = ['metric', 'value', ...(metricLabels.get(metric) ?? [])];
        expect(fields.filter((field) => !known.includes(field))).toEqual([]);
      } else if (message !== undefined) {
        expect(source).toContain(`'${message}'`);
        // A field of a log line is a property of that name somewhere in the app.
        expect(fields.filter((field) => !new RegExp(`\\b${field}\\b`).test(source))).toEqual([]);
      } else expect(query).toMatch(/^(AppRequests|Usage) \| /);
    },
  );

  it('the queries of the workbook cover every metric', () => {
    const read = queries.map(({ query }) => /fields\.metric\) == "([^"]+)"/.exec(query)?.[1]);
    const missing = [...metricLabels.keys()].filter((metric) => !read.includes(metric));
    expect(metricLabels.size).toBeGreaterThan(8);
    expect(missing, 'Add a query to infra/modules/queries.json').toEqual([]);
  });

  it('the queries of the workbook are panels of one workbook, in sections, and saved in the workspace', () => {
    const { serializedData } = asShipped.only('Microsoft.Insights/workbooks').properties;
    const { items } = JSON.parse(serializedData);
    const names = items.map(({ name }: { readonly name: string }) => name);
    const sections = [...new Set(queries.map(({ section }) => section))].map((section) => `section-${section}`);
    expect(names.toSorted()).toEqual(['parameters', ...sections, ...queries.map(({ name }) => name)].toSorted());
    const saved = asShipped.of('Microsoft.OperationalInsights/workspaces/savedSearches');
    expect(saved.map(({ properties }) => properties.query)).toEqual(queries.map(({ query }) => query));
  });
});
