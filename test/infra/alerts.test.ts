/** The alert rules that are deployed, beside what docs/operations.md says to watch and what the code logs. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { sourceOfApp } from '../settings.ts';
import { asShipped, everything } from './deployment.ts';

const operations = readFileSync(fileURLToPath(new URL('../../docs/operations.md', import.meta.url)), 'utf8');
const [, section = ''] = /^## What to watch$([\s\S]*?)^## /m.exec(operations) ?? [];
const rows = [...section.matchAll(/^\| `([\w-]+)` \| (\d) \| (.+?) \| .+ \|$/gm)].map(
  ([, name = '', severity, firesOn = '']) => ({ name, severity: Number(severity), firesOn }),
);

const source = sourceOfApp();
const rules = asShipped.of('Microsoft.Insights/scheduledQueryRules').map(({ properties }) => ({
  name: String(properties.displayName).split(': ')[1] ?? '',
  severity: Number(properties.severity),
  query: String(properties.criteria.allOf[0].query),
}));
const queries = rules.map(({ query }) => query);
const watched = queries.flatMap((query) => [...query.matchAll(/startswith "([^"]+)"/g)].map(([, line = '']) => line));

describe('the alert rules', () => {
  it('the alert rules watch only log lines that the code writes', () => {
    const messages = watched.filter((line) => line !== 'Metric {');
    expect(messages.length).toBeGreaterThan(25);
    expect(
      messages.filter((line) => !source.includes(`'${line}'`)),
      'Rename it in infra/modules/alerts.bicep',
    ).toEqual([]);
  });

  it('the alert rules have one row each in "What to watch" of docs/operations.md, with the same severity', () => {
    const named = (all: readonly { name: string; severity: number }[]) =>
      all.map(({ name, severity }) => `${name} ${severity}`).toSorted();
    expect(named(rows), 'Add an alert to infra/modules/alerts.bicep, and run: npm run infra -- --write').toEqual(
      named(rules),
    );
  });

  it('link to the section to which their row leads, below the address of the documents', () => {
    const links = asShipped
      .of('Microsoft.Insights/scheduledQueryRules')
      .map(({ name, properties }) => [name.replace('keyward-', ''), properties.description.replace('docs/', '')]);
    expect(links.toSorted()).toEqual(documentedLinks().toSorted());
    const [rule] = everything.of('Microsoft.Insights/scheduledQueryRules');
    expect(rule?.properties.description).toMatch(/^https:\/\/docs\.contoso\.example\/keyward\/\w+\.md#[\w-]+$/);
  });

  it('the alert rules run every 5 minutes, and every 15 when their window allows it and no person must act at once', () => {
    for (const { name, properties } of asShipped.of('Microsoft.Insights/scheduledQueryRules')) {
      const isSlow = properties.severity > 1 && minutesOf(properties.windowSize) >= 15;
      expect(properties.evaluationFrequency, name).toBe(isSlow ? 'PT15M' : 'PT5M');
    }
  });

  it('the parameter alertFrequency lets all rules of severity 1 or 2 run every 15 minutes whose window covers that time', () => {
    const deployed = everything.of('Microsoft.Insights/scheduledQueryRules');
    for (const { name, properties } of deployed)
      expect(properties.evaluationFrequency, name).toBe(minutesOf(properties.windowSize) >= 15 ? 'PT15M' : 'PT5M');
    const atOnce = deployed.filter(({ properties }) => properties.severity === 0);
    expect(atOnce.map(({ properties }) => properties.evaluationFrequency)).toEqual(atOnce.map(() => 'PT5M'));
  });

  it('the alert rules notify every receiver that the parameters name', () => {
    const { emailReceivers, webhookReceivers } = everything.only('Microsoft.Insights/actionGroups').properties;
    expect([emailReceivers.length, webhookReceivers.length]).toEqual([2, 1]);
    for (const { properties } of everything.of('Microsoft.Insights/scheduledQueryRules')) {
      const groups: string[] = properties.actions.actionGroups.map((id: string) => id.split('/').at(-1));
      expect(groups).toEqual(['company', 'Key-Ward-operators']);
    }
    expect(asShipped.of('Microsoft.Insights/actionGroups')).toEqual([]);
  });

  it.each(rows)('the alert rules watch with $name what its row in docs/operations.md says', ({ name, firesOn }) => {
    const query = rules.find((rule) => rule.name === name)?.query ?? '';
    const messages = [...firesOn.matchAll(/(?<!= )`((?!GET )[A-Z][^`]*)`/g)].map(
      ([, message]) => `startswith "${message}"`,
    );
    const metrics = [...firesOn.matchAll(/`(keyward\.[a-z.]+)`(?: with `(\w+)` = `(\w+)`| over (\d+))?/g)].flatMap(
      ([, metric = '', label, word, over]) => [
        `tostring(fields.metric) == "${metric}"`,
        ...(label === undefined ? [] : [`tostring(fields.${label}) == "${word}"`]),
        ...(over === undefined ? [] : [`todouble(fields.value) > ${over}`]),
      ],
    );
    const readiness = firesOn.includes('/api/health/ready') ? ['"/api/health/ready"', 'ResultCode == "503"'] : [];
    const parts = [...messages, ...metrics, ...readiness];
    expect(parts).not.toEqual([]);
    const withoutBrackets = query.replaceAll(/fields\["(\w+)"\]/g, 'fields.$1');
    expect(parts.filter((part) => !withoutBrackets.includes(part))).toEqual([]);
  });
});

/** Of each rule: the first link of its row or, without one, the heading of its table. */
function documentedLinks(): string[][] {
  return section
    .split(/^### /m)
    .slice(1)
    .flatMap((table) => {
      const heading = (table.split('\n', 1)[0] ?? '')
        .toLowerCase()
        .replaceAll(/[^\w\- ]/g, '')
        .replaceAll(' ', '-');
      return [...table.matchAll(/^\| `([\w-]+)` \| \d \| .* \| (.*) \|$/gm)].map(([, name = '', action = '']) => {
        const link = /\]\(([^)]+)\)/.exec(action)?.[1] ?? `#${heading}`;
        return [name, link.startsWith('#') ? `operations.md${link}` : link];
      });
    });
}

/** `PT5M` is 5 and `PT1H` is 60: the two units of ISO 8601 that the rules use. */
function minutesOf(duration: string): number {
  const [, count, unit] = /^PT(\d+)([MH])$/.exec(duration) ?? [];
  return Number(count) * (unit === 'H' ? 60 : 1);
}
