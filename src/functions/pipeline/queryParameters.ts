/** A query parameter that no code reads would be passed over in silence: `?owner=` would list every account. So it is refused. */
import type { HttpRequest } from '@azure/functions';
import { Refusal } from '../../core/base/errors.ts';
import type { Route } from './route.ts';

/** The Functions host takes a function key here. */
const ofTheHost = 'code';

/** Routes without a contract of ours, and those open to all (probes add what they like), take any. @throws Refusal InvalidParameter */
export function checkQuery({ query }: HttpRequest, { contract, scope }: Route): void {
  if (contract === undefined || scope === 'public') return;
  const known = Object.keys(contract.query ?? {});
  for (const name of new Set(query.keys())) {
    if (name === ofTheHost) continue;
    const target = name.slice(0, 100);
    if (!known.includes(name)) throw invalid(`This call has no query parameter '${target}'. ${takes(known)}`, target);
    if (query.getAll(name).length > 1) throw invalid(`The query parameter '${target}' is given twice.`, target);
  }
}

const takes = (known: readonly string[]): string =>
  known.length === 0 ? 'It takes none.' : `It takes ${known.join(', ')}.`;

const invalid = (message: string, target: string): Refusal => new Refusal('InvalidParameter', message, { target });
