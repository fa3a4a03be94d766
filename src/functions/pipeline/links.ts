/** Absolute links carry the address that callers use. It is configured, or the platform's: never what a Host header says. */
import type { HttpRequest } from '@azure/functions';

export function absoluteUrl(request: HttpRequest, pathAndQuery: string): string {
  return baseUrl(request, process.env).replace(/\/+$/, '') + pathAndQuery;
}

/** Without one, links are relative to the host that was called. */
function baseUrl(request: HttpRequest, environment: NodeJS.ProcessEnv): string {
  const { KEYWARD_PUBLIC_BASE_URL: configured, WEBSITE_HOSTNAME: ownName } = environment;
  if (configured) return configured;
  const { origin, hostname } = new URL(request.url);
  // On a development machine the port is not known before: the machine's own name cannot mislead anybody else.
  if (environment.AZURE_FUNCTIONS_ENVIRONMENT === 'Development' && /^(localhost|127\.0\.0\.1|\[::1\])$/.test(hostname))
    return origin;
  return ownName ? `https://${ownName}` : '';
}
