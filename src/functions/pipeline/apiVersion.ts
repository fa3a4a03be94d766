/**
 * The version of Keyward's own API, a date in the query parameter `api-version`. docs/api.md has the rule for what may
 * change within a version. A call without the parameter gets the newest version, because the documents describe that
 * one. The texts of the refusal are those of Microsoft's REST API guidelines for Azure ("API versioning").
 */
import type { HttpRequest } from '@azure/functions';
import { Refusal } from '../../core/base/errors.ts';
import type { Route } from './route.ts';

export const newestVersion = '2026-11-28';
/** Oldest first. */
export const apiVersions: readonly string[] = [newestVersion];

/**
 * Routes whose form others define have no version: those of Azure Media Services, deliveries of Event Grid, probes of
 * liveness, and sets of public keys.
 */
export const hasVersion = ({ contract, scope }: Pick<Route, 'contract' | 'scope'>): boolean =>
  contract !== undefined && scope !== 'public' && scope !== 'events';

/** @throws Refusal UnsupportedApiVersionValue that lists the supported versions */
export function checkVersion(request: HttpRequest): void {
  const requested = requestedVersion(request);
  if (requested === null || isSupported(requested)) return;
  throw new Refusal(
    'UnsupportedApiVersionValue',
    `Unsupported api-version '${requested.slice(0, 100)}'. The supported api-versions are '${apiVersions.join(', ')}'.`,
    { target: 'api-version' },
  );
}

/** The header that names the version of an answer, as Azure Storage does ("Versioning for Azure Storage"). */
export function versionHeader(request: HttpRequest): { readonly 'x-ms-version': string } {
  const requested = requestedVersion(request);
  return { 'x-ms-version': requested !== null && isSupported(requested) ? requested : newestVersion };
}

export const requestedVersion = ({ query }: HttpRequest): string | null => query.get('api-version');

const isSupported = (version: string): boolean => apiVersions.includes(version);
