/** Every query that a person or Azure runs, by Microsoft's own parser of the Kusto query language. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { asShipped } from './deployment.ts';
import { errorsOf } from './kqlCompiler.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

const refused = (queries: readonly string[]) =>
  queries.flatMap((query) => errorsOf(query).map((error) => `${error} ${query}`));

it('the parser of Kusto queries finds a misspelt column, a misspelt operator and a name that is a word of the language', () => {
  expect(errorsOf('AppTraces | where Mesage startswith "a"').join()).toContain("'Mesage' does not refer");
  expect(errorsOf('AppTraces | sumarize count()')).not.toEqual([]);
  expect(errorsOf('AppTraces | where Properties.to == "a"').join()).toContain("['to']");
  expect(errorsOf('AppTraces | where Properties["to"] == "a" | summarize count() by bin(TimeGenerated, 5m)')).toEqual(
    [],
  );
});

it('the query of every alert rule parses and uses only columns that exist', () => {
  const rules = asShipped.of('Microsoft.Insights/scheduledQueryRules');
  expect(rules.length).toBeGreaterThan(50);
  expect(refused(rules.map(({ properties }) => properties.criteria.allOf[0].query))).toEqual([]);
});

it('the query of every saved search, and so of every panel of the workbook, parses and uses only columns that exist', () => {
  const saved = asShipped.of('Microsoft.OperationalInsights/workspaces/savedSearches');
  expect(saved.length).toBeGreaterThan(20);
  expect(refused(saved.map(({ properties }) => properties.query))).toEqual([]);
});

it('every query in the documents parses and uses only columns that exist', () => {
  const documents = globSync('docs/*.md', { cwd: root }).map((path) => readFileSync(join(root, path), 'utf8'));
  const queries = documents.flatMap((text) => [
    ...[...text.matchAll(/```kusto\n([\s\S]*?)```/g)].map(([, query = '']) => query),
    ...[...text.matchAll(/--analytics-query "((?:\\.|[^"\\])*)"/g)].map(([, query = '']) =>
      query.replaceAll('\\"', '"'),
    ),
  ]);
  expect(queries.length).toBeGreaterThan(1);
  expect(refused(queries)).toEqual([]);
});
