/**
 * The public host names that the proxy answers for, and the part of the embedded stack behind each: vaults, the sign-in
 * host, and Azure Resource Manager with the service's Media Services routes and the reads that a client begins with.
 */
import { homeTenantId } from '../operator.ts';

/** The subscription that tools list after a sign-in. Keyward accepts any other in a path too. */
export const mediaSubscriptionId = '5b1c7c1e-53a1-4a67-9d0f-0c6d3d1f0a01';

export interface Parts {
  readonly appUrl: string;
  readonly identityUrl: string;
  readonly keyVaultUrl: string;
}

/** Forwarded with the public Host header, or answered by the proxy. */
export type Target = { readonly forwardTo: string } | { readonly status: number; readonly body: unknown };

const vaultHost = /^[a-z][a-z0-9-]{2,23}\.(vault|managedhsm)\.azure\.net$/;
const signInHosts = ['login.microsoftonline.com', 'login.microsoft.com', 'login.windows.net'];
const managementHost = 'management.azure.com';

/** The audiences of tokens for Azure Resource Manager: a client's scope decides about the host and the final slash. */
export const managementAudiences = ['https://management.azure.com', 'https://management.core.windows.net'].flatMap(
  (audience) => [audience, `${audience}/`],
);

/** For the certificate. */
export const hostNames = [managementHost, ...signInHosts, '*.vault.azure.net', '*.managedhsm.azure.net'];

export const isProxied = (host: string): boolean =>
  host === managementHost || signInHosts.includes(host) || vaultHost.test(host);

/** @throws Error when a part is not on this machine: the proxy belongs to the embedded stack only. */
export function refuseRemoteParts({ appUrl, identityUrl, keyVaultUrl }: Parts): void {
  for (const url of [appUrl, identityUrl, keyVaultUrl])
    if (!/^(127\.0\.0\.1|localhost|\[::1\])$/.test(new URL(url).hostname))
      throw new Error(`The proxy reaches the embedded stack on this machine only, not ${url}.`);
}

/** `target` is the request's path and query. Undefined: the proxy does not answer for the host. */
export function targetOf(host: string, target: string, parts: Parts): Target | undefined {
  if (!isProxied(host)) return undefined;
  // An address, or a path that leaves its folder, must not choose another server or another route.
  const url = target.startsWith('/') ? URL.parse(`https://${host}${target}`) : null;
  if (url?.host !== host) return notFound;
  const address = url.pathname + url.search;
  if (vaultHost.test(host)) return { forwardTo: parts.keyVaultUrl + address };
  if (signInHosts.includes(host)) {
    // The control calls of the emulator are no part of the public host.
    return /^\/(control|msi)(\/|$)/.test(url.pathname) ? notFound : { forwardTo: parts.identityUrl + address };
  }
  const path = url.pathname.toLowerCase().replace(/\/$/, '');
  const listed = managementReads[path];
  if (listed !== undefined) return { status: 200, body: listed };
  // The links in answers of the service have its prefix already.
  const bare = path.replace(/^\/api(?=\/)/, '');
  if (!mediaPath.test(bare)) return notFound;
  return { forwardTo: `${parts.appUrl}${bare === path ? '/api' : ''}${address}` };
}

const mediaPath = /^(\/subscriptions\/[^/]+(\/resourcegroups\/[^/]+)?)?\/providers\/microsoft\.media\//;

const notFound: Target = {
  status: 404,
  body: { error: { code: 'NotFound', message: 'The embedded stack has no such route.' } },
};

const subscription = {
  id: `/subscriptions/${mediaSubscriptionId}`,
  subscriptionId: mediaSubscriptionId,
  tenantId: homeTenantId,
  displayName: 'Keyward local stack',
  state: 'Enabled',
  subscriptionPolicies: {
    locationPlacementId: 'Public_2014-09-01',
    quotaId: 'PayAsYouGo_2014-09-01',
    spendingLimit: 'Off',
  },
  authorizationSource: 'RoleBased',
  managedByTenants: [],
};
const tenant = {
  id: `/tenants/${homeTenantId}`,
  tenantId: homeTenantId,
  displayName: 'Operator',
  tenantCategory: 'Home',
};

/** What the Azure CLI reads after a sign-in. */
const managementReads: Readonly<Record<string, unknown>> = {
  '/subscriptions': { value: [subscription], count: { type: 'Total', value: 1 } },
  [`/subscriptions/${mediaSubscriptionId}`]: subscription,
  '/tenants': { value: [tenant] },
};
