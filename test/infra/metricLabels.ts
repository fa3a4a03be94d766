/** Labels by metric, as the interface `Metrics` declares them. */
import { sourceOfApp } from '../settings.ts';

const [, declared = ''] = /export interface Metrics \{([\s\S]*?)\n\}/.exec(sourceOfApp()) ?? [];

export const metricLabels: ReadonlyMap<string, readonly string[]> = new Map(
  [...declared.matchAll(/readonly '(keyward[\w.]*)': (?:\{([\s\S]*?)\}|NoLabels);/g)].map(
    ([, name = '', body = '']) => [name, [...body.matchAll(/readonly (\w+):/g)].map(([, label = '']) => label)],
  ),
);
