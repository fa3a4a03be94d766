/** The settings of authentication. While one of them is missing or wrong, no caller is authenticated. */
import * as z from 'zod';
import { fold } from '../../core/base/names.ts';
import { log } from './service.ts';

export const entraSettings = z.object({
  KEYWARD_TENANT_ID: z.guid(),
  /**
   * The accepted audiences of tokens, separated by spaces. A version 2.0 token names the client id of the application.
   * A version 1.0 token names the application id URI that the caller requested (Microsoft docs, "Access token claims
   * reference", `aud`).
   */
  KEYWARD_AUTH_AUDIENCE: z
    .string()
    .transform((text) => text.split(' ').filter(Boolean))
    .refine((audiences) => audiences.length > 0),
  /**
   * Default: the issuer of version 2.0 tokens of the tenant. An application receives version 1.0 tokens, with the
   * issuer https://sts.windows.net/<tenant>/, unless its manifest sets `requestedAccessTokenVersion` to 2.
   */
  KEYWARD_AUTH_ISSUER: z.url().optional(),
  KEYWARD_AUTH_JWKS_URL: signingKeysUrl().optional(),
  /**
   * Client ids of the applications whose tokens are accepted, separated by spaces. Absent: every application that has a
   * role.
   */
  KEYWARD_AUTH_CLIENTS: z
    .string()
    .transform((text) => new Set(fold(text).split(' ').filter(Boolean)))
    .optional(),
});

/**
 * An attacker could replace keys that arrive without TLS. Only a development machine may use http, for its local
 * issuer.
 */
function signingKeysUrl() {
  return z
    .url()
    .refine(
      (url) => url.startsWith('https://') || process.env.AZURE_FUNCTIONS_ENVIRONMENT === 'Development',
      'https only',
    );
}

/** The names of settings that are missing or wrong. The first time, a process logs them. */
export function wrongAuthSettings(): readonly string[] {
  const wrong = wrongIn(process.env);
  if (wrong.length > 0 && !isLogged)
    log.error('Settings of authentication are missing or wrong', { settings: wrong.join(' ') });
  isLogged ||= wrong.length > 0;
  return wrong;
}

let isLogged = false;

function wrongIn(environment: NodeJS.ProcessEnv): readonly string[] {
  switch (environment.KEYWARD_AUTH) {
    case 'functionKeys':
      return [];
    case 'entra': {
      const { error } = entraSettings.safeParse(environment);
      return [...new Set(error?.issues.map(({ path }) => String(path[0])))];
    }
    default:
      return ['KEYWARD_AUTH'];
  }
}
