/** Keyward refuses a query parameter that no code reads. If it ignored one, `?owner=` would list every account. */
import type { HttpRequest } from '@azure/functions';
import { Refusal } from '../../core/base/errors.ts';
import { checkVersion, hasVersion } from './apiVersion.ts';
import type { Route } from './route.ts';

/** The Functions host reads a function key from this parameter. */
const ofTheHost = 'code';

/**
 * Routes without a contract of Keyward's, and public routes, accept any parameter: probes add their own. @throws
 * Refusal InvalidParameter, UnsupportedApiVersionValue
 */
export function checkQuery(request: HttpRequest, route: Route): void {
  const { contract, scope } = route;
  if (contract === undefined || scope === 'public') return;
  const { query } = request;
  const known = [...Object.keys(contract.query ?? {}), ...(hasVersion(route) ? ['api-version'] : [])];
  for (const name of new Set(query.keys())) {
    if (name === ofTheHost) continue;
    const target = name.slice(0, 100);
    if (!known.includes(name)) throw invalid(`This call has no query parameter '${target}'. ${takes(known)}`, target);
    if (query.getAll(name).length > 1)
      throw invalid(`The query parameter '${target}' occurs twice. Send it once.`, target);
  }
  if (hasVersion(route)) checkVersion(request);
}

const takes = (known: readonly string[]): string =>
  known.length === 0 ? 'It has none.' : `It has ${known.join(', ')}.`;

const invalid = (message: string, target: string): Refusal => new Refusal('InvalidParameter', message, { target });
