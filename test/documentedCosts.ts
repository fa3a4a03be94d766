/** The numbers of a row in the tables of docs/costs.md: one, or one for each kind of account. */
import { readFileSync } from 'node:fs';

const lines = readFileSync(new URL('../docs/costs.md', import.meta.url), 'utf8').split('\n');

export function documentedCost(operation: string): number[] {
  const row = lines.find((line) => line.startsWith(`| ${operation} | `));
  return (row?.split(' | ')[1] ?? '').replace(/ \|$/, '').split(' / ').map(Number);
}
