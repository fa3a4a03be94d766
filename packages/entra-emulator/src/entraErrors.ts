/**
 * Refusals of the token endpoint in Entra's form (Microsoft docs: "Microsoft Entra authentication and authorization
 * error codes"; texts, `error` and status as in publicly quoted answers).
 */
import { randomUUID } from 'node:crypto';
import type { Answer } from './http.ts';

type Entry = { status: number; error: string; text: (...values: string[]) => string };

const noMatch = (what: string) => (value: string) =>
  `No matching federated identity record found for presented assertion ${what} '${value}'. Check your federated identity credential Subject, Audience and Issuer against the presented assertion. https://learn.microsoft.com/entra/workload-id/workload-identity-federation`;

const ERRORS = {
  50011: {
    status: 400,
    error: 'invalid_client',
    text: (uri, app) =>
      `The redirect URI '${uri}' specified in the request does not match the redirect URIs configured for the application '${app}'. Make sure the redirect URI sent in the request matches one added to your application in the Azure portal.`,
  },
  50058: {
    status: 400,
    error: 'interaction_required',
    text: () => 'A silent sign-in request was sent but no user is signed in.',
  },
  501481: {
    status: 400,
    error: 'invalid_grant',
    text: () => 'The Code_Verifier does not match the code_challenge supplied in the authorization request.',
  },
  9002325: {
    status: 400,
    error: 'invalid_request',
    text: () => 'Proof Key for Code Exchange is required for cross-origin authorization code redemption.',
  },
  50034: {
    status: 400,
    error: 'invalid_grant',
    text: (user, tenant) =>
      `The user account ${user} does not exist in the ${tenant} directory. To sign into this application, the account must be added to the directory.`,
  },
  50126: {
    status: 400,
    error: 'invalid_grant',
    text: () => 'Error validating credentials due to invalid username or password.',
  },
  70000: { status: 400, error: 'invalid_grant', text: () => 'Provided grant is invalid or malformed.' },
  50027: { status: 400, error: 'invalid_request', text: () => 'JWT token is invalid or malformed.' },
  70003: {
    status: 400,
    error: 'unsupported_grant_type',
    text: (grant) => `The app requested an unsupported grant type '${grant}'.`,
  },
  90002: {
    status: 400,
    error: 'invalid_request',
    text: (tenant) =>
      `Tenant '${tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant.`,
  },
  700016: {
    status: 400,
    error: 'unauthorized_client',
    text: (app, tenant) =>
      `Application with identifier '${app}' was not found in the directory '${tenant}'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You may have sent your authentication request to the wrong tenant.`,
  },
  700024: {
    status: 401,
    error: 'invalid_client',
    text: () => 'Client assertion is not within its valid time range.',
  },
  700027: {
    status: 401,
    error: 'invalid_client',
    text: () => 'The certificate with identifier used to sign the client assertion is not registered on application.',
  },
  700211: { status: 401, error: 'invalid_client', text: noMatch('issuer') },
  700212: { status: 401, error: 'invalid_client', text: noMatch('audience') },
  700213: { status: 401, error: 'invalid_client', text: noMatch('subject') },
  900144: {
    status: 400,
    error: 'invalid_request',
    text: (parameter) => `The request body must contain the following parameter: '${parameter}'.`,
  },
  1002012: {
    status: 400,
    error: 'invalid_scope',
    text: (scope) =>
      `The provided value for scope ${scope} is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI).`,
  },
  7000112: {
    status: 400,
    error: 'unauthorized_client',
    text: (app, name) => `Application '${app}'(${name}) is disabled.`,
  },
  7000215: {
    status: 401,
    error: 'invalid_client',
    text: (app) =>
      `Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '${app}'.`,
  },
  7000216: {
    status: 401,
    error: 'invalid_client',
    text: () => "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type.",
  },
  7000229: {
    status: 401,
    error: 'invalid_client',
    text: (app, tenant) =>
      `The client application ${app} is missing service principal in the tenant ${tenant}. See instructions here: https://go.microsoft.com/fwlink/?linkid=2225119`,
  },
} as const satisfies Record<number, Entry>;

export type AadstsCode = keyof typeof ERRORS;

/** Thrown when a token request cannot be granted; `answer` makes the response. */
export class EntraRefusal extends Error {
  readonly code: AadstsCode;
  constructor(code: AadstsCode, ...values: string[]) {
    const entry: Entry = ERRORS[code];
    super(`AADSTS${code}: ${entry.text(...values)}`);
    this.name = 'EntraRefusal';
    this.code = code;
  }

  answer(now: number): Answer {
    const { status, error }: Entry = ERRORS[this.code];
    const timestamp = new Date(now)
      .toISOString()
      .replace('T', ' ')
      .replace(/\.\d+Z$/, 'Z');
    const [trace, correlation] = [randomUUID(), randomUUID()];
    return {
      status,
      body: {
        error,
        error_description: `${this.message} Trace ID: ${trace} Correlation ID: ${correlation} Timestamp: ${timestamp}`,
        error_codes: [this.code],
        timestamp,
        trace_id: trace,
        correlation_id: correlation,
        error_uri: `https://login.microsoftonline.com/error?code=${this.code}`,
      },
    };
  }
}
