/**
 * Absolute links have the address that callers use: the configured one or the platform's, never that of a Host header.
 */
import type { HttpRequest } from '@azure/functions';
import { requestedVersion } from './apiVersion.ts';

export function absoluteUrl(request: HttpRequest, pathAndQuery: string): string {
  return baseUrl(request, process.env).replace(/\/+$/, '') + pathAndQuery;
}

/** A link to a call of this API, in the version that the caller requested. `pathAndQuery` has a query. */
export function callUrl(request: HttpRequest, pathAndQuery: string): string {
  const version = requestedVersion(request);
  return absoluteUrl(request, version === null ? pathAndQuery : `${pathAndQuery}&api-version=${version}`);
}

/**
 * A development machine does not know its port in advance, and a link to its own name cannot mislead other callers. The
 * proxy of the embedded stack answers for the last name.
 */
const ownNames = /^(localhost|127\.0\.0\.1|\[::1\]|management\.azure\.com)$/;

/** Without a base URL, links start with the host that was called. */
function baseUrl(request: HttpRequest, environment: NodeJS.ProcessEnv): string {
  const { KEYWARD_PUBLIC_BASE_URL: configured, WEBSITE_HOSTNAME: ownName } = environment;
  if (configured) return configured;
  const { origin, hostname } = new URL(request.url);
  if (environment.AZURE_FUNCTIONS_ENVIRONMENT === 'Development' && ownNames.test(hostname)) return origin;
  return ownName ? `https://${ownName}` : '';
}
