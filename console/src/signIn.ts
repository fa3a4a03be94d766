/**
 * The sign-in with Microsoft Entra ID: MSAL.js, authorization code with PKCE, by redirect. The tokens are in the
 * session storage of the tab. On a development machine the local issuer answers for Microsoft's address: MSAL accepts
 * only https addresses, so the page sends each request and each navigation for them to the issuer.
 */
import {
  CacheLookupPolicy,
  type INetworkModule,
  InteractionRequiredAuthError,
  NavigationClient,
  PublicClientApplication,
} from '@azure/msal-browser';
import type { ConsoleConfig } from './config.ts';
import type { Session } from './session.ts';

/** How long before its expiry a token is renewed; MSAL renews in the same time. */
const RENEWAL_MS = 5 * 60_000;

/** @returns undefined: the browser is on its way to the sign-in page. */
export async function signIn(config: ConsoleConfig & { clientId: string }): Promise<Session | undefined> {
  const { authority, clientId, scope, local } = config;
  const toIssuer = (url: string) => (local === undefined ? url : url.replace(new URL(authority).origin, local.issuer));
  const page = `${window.location.origin}/console/`;
  const client = new PublicClientApplication({
    auth: { clientId, authority, redirectUri: page, postLogoutRedirectUri: page },
    system: local === undefined ? {} : { networkClient: networkTo(toIssuer), navigationClient: navigationTo(toIssuer) },
  });
  await client.initialize();
  const request = { scopes: [scope] };
  const returned = await client.handleRedirectPromise();
  const account = returned?.account ?? client.getAllAccounts()[0];
  if (account === undefined || account === null) {
    await client.loginRedirect(request);
    return undefined;
  }
  const silently = () =>
    client.acquireTokenSilent({ ...request, account, cacheLookupPolicy: CacheLookupPolicy.AccessTokenAndRefreshToken });
  // MSAL decrypts its cache for each request, which takes as long as a call of the API.
  let accessToken = '';
  let freshUntil = 0;
  return {
    user: account.username,
    async token() {
      if (Date.now() < freshUntil) return accessToken;
      try {
        const renewed = await silently();
        freshUntil = (renewed.expiresOn?.getTime() ?? 0) - RENEWAL_MS;
        accessToken = renewed.accessToken;
        return accessToken;
      } catch (error) {
        // The refresh token has expired: after a day for a page in a browser.
        if (error instanceof InteractionRequiredAuthError) await client.acquireTokenRedirect({ ...request, account });
        throw error;
      }
    },
    signOut: () => client.logoutRedirect({ account }),
  };
}

function networkTo(toIssuer: (url: string) => string): INetworkModule {
  const send = async <T>(url: string, init: RequestInit) => {
    const response = await fetch(toIssuer(url), init);
    const headers = Object.fromEntries(response.headers.entries());
    return { status: response.status, headers, body: (await response.json()) as T };
  };
  return {
    sendGetRequestAsync: (url) => send(url, {}),
    sendPostRequestAsync: (url, options = {}) =>
      send(url, { method: 'POST', ...options, ...(options.body === undefined ? {} : { body: options.body }) }),
  };
}

function navigationTo(toIssuer: (url: string) => string): NavigationClient {
  const client = new NavigationClient();
  const external = client.navigateExternal.bind(client);
  client.navigateExternal = (url, options) => external(toIssuer(url), options);
  return client;
}
