/**
 * The authorization code flow of a single-page application (Microsoft docs: "OAuth 2.0 authorization code flow", RFC
 * 7636). The sign-in page lists the tenant's users, and one press of a button signs in without a password: the emulator
 * is for development. A code is valid once, for 10 minutes, and only with its verifier.
 */
import { createHash, randomUUID } from 'node:crypto';
import type { Principal } from './directory.ts';
import { EntraRefusal } from './entraErrors.ts';
import type { Answer } from './http.ts';
import { errorPage, signInPage } from './signInPage.ts';
import { required, type TokenRequest } from './tokenRequest.ts';
import { clientInfo, userAnswer } from './userGrants.ts';
import { nowOf, type World } from './world.ts';

const CODE_LIFETIME_MS = 10 * 60_000;

/** `GET /{tenant}/oauth2/v2.0/authorize` shows the users; `POST` with `user` signs that user in. */
export function answerAuthorize(world: World, tenant: string, query: URLSearchParams, form: URLSearchParams): Answer {
  try {
    const client = spaOf(world, tenant, query.get('client_id')?.toLowerCase() ?? '');
    const redirectUri = query.get('redirect_uri') ?? '';
    if (!client.redirectUris?.includes(redirectUri)) throw new EntraRefusal(50011, redirectUri, client.clientId);
    const back = (fragment: Record<string, string>) =>
      redirectTo(`${redirectUri}#${new URLSearchParams({ ...fragment, state: query.get('state') ?? '' })}`);
    const refused = refusalOf(query);
    if (refused !== undefined) return back(refused);
    const users = world.directory.principals().filter((one) => one.kind === 'user' && one.tenantId === tenant);
    const user = users.find(({ objectId }) => objectId === form.get('user'));
    if (user === undefined) return signInPage(client, users, query);
    const code = randomUUID();
    world.codes.set(code, {
      objectId: user.objectId,
      clientId: client.clientId,
      redirectUri,
      challenge: query.get('code_challenge') ?? '',
      nonce: query.get('nonce') ?? undefined,
      expiresAt: nowOf(world) + CODE_LIFETIME_MS,
    });
    return back({ code, client_info: clientInfo(user), session_state: randomUUID() });
  } catch (error) {
    if (error instanceof EntraRefusal) return errorPage(error.message);
    throw error;
  }
}

/** An error that the application gets, at its redirect URI (RFC 6749, 4.1.2.1). */
function refusalOf(query: URLSearchParams): Record<string, string> | undefined {
  if (query.get('response_type') !== 'code')
    return { error: 'unsupported_response_type', error_description: 'This emulator issues authorization codes only.' };
  if (query.get('code_challenge') === null || query.get('code_challenge_method') !== 'S256')
    return { error: 'invalid_request', error_description: new EntraRefusal(9002325).message };
  // A session of the browser with the emulator does not exist, so each sign-in shows the page.
  if (query.get('prompt') === 'none')
    return { error: 'interaction_required', error_description: new EntraRefusal(50058).message };
  return undefined;
}

export async function grantByCode(world: World, request: TokenRequest): Promise<Answer> {
  const clientId = spaOf(world, request.tenant, required(request, 'client_id').toLowerCase()).clientId;
  const code = required(request, 'code');
  const issued = world.codes.get(code);
  world.codes.delete(code);
  const user = world.directory.findPrincipal(({ objectId }) => objectId === issued?.objectId);
  const isValid =
    issued !== undefined &&
    issued.clientId === clientId &&
    issued.redirectUri === request.form.get('redirect_uri') &&
    nowOf(world) < issued.expiresAt;
  if (!isValid || user === undefined) throw new EntraRefusal(70000);
  const challenge = createHash('sha256').update(required(request, 'code_verifier')).digest('base64url');
  if (challenge !== issued.challenge) throw new EntraRefusal(501481);
  return userAnswer(world, request, user, clientId, issued.nonce);
}

/** `GET /{tenant}/oauth2/v2.0/logout`: there is no session to end, so it only leads back. */
export function answerLogout(world: World, query: URLSearchParams): Answer {
  const target = query.get('post_logout_redirect_uri') ?? '';
  const isKnown = world.directory.principals().some(({ redirectUris }) => redirectUris?.includes(target));
  return isKnown ? redirectTo(target) : errorPage('You are signed out.', 200);
}

function spaOf({ directory }: World, tenant: string, clientId: string): Principal {
  if (directory.findTenant(tenant) === undefined) throw new EntraRefusal(90002, tenant);
  const client = directory.findPrincipal((one) => one.kind === 'application' && one.clientId === clientId);
  if (client === undefined) throw new EntraRefusal(700016, clientId, tenant);
  return client;
}

const redirectTo = (location: string): Answer => ({ status: 302, body: '', headers: { location } });
