/** The page that `npm start` prints: the addresses, the settings in force, and calls to paste into a shell. */
import { readSettings } from '../azure/settings.ts';
import { homeTenantId, location, operatorCredentials } from './operator.ts';
import type { ConnectProxy } from './proxy/proxy.ts';
import { mediaSubscriptionId } from './proxy/targets.ts';
import type { Stack } from './stack.ts';

export const vault = 'contoso-keys';
const keyIdentifier = `https://${vault}.vault.azure.net/keys/media`;

/** One argument of a POSIX shell. */
export const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/** The variables for a shell whose clients use this stack: proxy, certificate authority and sign-in. */
export function proxyLines({ url, caFile }: ConnectProxy): string {
  const { clientId, secret } = operatorCredentials;
  const values = {
    HTTPS_PROXY: url,
    // Some programs prefer the name in lower case, which the shell may have for another proxy.
    https_proxy: url,
    NODE_EXTRA_CA_CERTS: caFile,
    REQUESTS_CA_BUNDLE: caFile,
    SSL_CERT_FILE: caFile,
    CURL_CA_BUNDLE: caFile,
    AZURE_TENANT_ID: homeTenantId,
    AZURE_CLIENT_ID: clientId,
    AZURE_CLIENT_SECRET: secret,
    AZURE_SUBSCRIPTION_ID: mediaSubscriptionId,
  };
  return Object.entries(values)
    .map(([name, value]) => `export ${name}=${quoted(value)}`)
    .join('\n');
}

const proxySection = (proxy: ConnectProxy) => `\
In a shell with these lines, unmodified clients for Node, Python, Go and curl reach this stack, and no other host by
https. Vaults, login.microsoftonline.com and the Media Services calls of management.azure.com have their public names:

${proxyLines(proxy)}

`;

/** `credential` identifies the caller, as arguments of curl. */
export function startPage(stack: Stack, credential: string, dir: string): string {
  const { host, keyVaultUrl, identity, topic, proxy, settings } = stack;
  const { policy } = readSettings({ ...process.env, ...settings });
  const curl = (method: string, url: string, rest = '') =>
    `curl -sS -w '\\n'${method === 'GET' ? '' : ` -X ${method}`} ${quoted(url)}${rest}`;
  const api = (method: string, path: string, body?: unknown) => {
    const json = body === undefined ? '' : ` -H 'content-type: application/json' -d ${quoted(JSON.stringify(body))}`;
    return curl(method, `${host.url}/api/accounts${path}`, ` ${credential}${json}`);
  };
  const customer = (method: string, path: string) => curl(method, `${keyVaultUrl}/control/vaults/${vault}/keys${path}`);
  const inForce = Object.entries(settings).filter(([name]) => name.startsWith('KEYWARD_'));
  const customerKey = { encryption: { type: 'CustomerKey', keyVaultProperties: { keyIdentifier } } };

  return `
Console: ${host.url}/   Open it in a browser, and sign in as the administrator.

Keyward runs on this machine. Ctrl-C stops it.

  API            ${host.url}/api/accounts
  Key Vault      ${keyVaultUrl}/control   the customers' calls to their vaults
  Token issuer   ${identity.url}/control   tenants, identities, tokens
  Announcements  ${topic?.url}/control/events   the events published to the topic
  Data           ${dir}   npm start -- --fresh deletes it first

Settings in force
${inForce.map(([name, value]) => `  ${name.padEnd(32)}${value}`).join('\n')}
  Key checks: every ${policy.lookIntervalHealthySeconds} s, ${policy.lookIntervalSuspectSeconds} s while Suspect, \
${policy.lookIntervalInaccessibleSeconds} s while Inaccessible.

Create an account, then give it the customer's key in the vault ${vault}:

${api('PUT', '/alpha', { location, properties: { owner: 'contoso' } })}
${api('PATCH', '/alpha', { properties: customerKey })}

The customer rotates the key. Within seconds currentKeyIdentifier names the new version:

${customer('POST', '/media/rotate')}
${api('GET', '/alpha')}

The customer deletes the key. Repeat the GET: the status is Suspect after the next sweep, and the state is
CustomerKeyInaccessible after the confirmation:

${customer('DELETE', '/media')}
${api('GET', '/alpha')}

The customer recovers the key. The account becomes Enabled again automatically:

${customer('POST', '/media/recover')}
${api('GET', '')}

${proxy === undefined ? '' : proxySection(proxy)}All calls to the vaults and to the identities:

${curl('GET', `${keyVaultUrl}/control`)}
${curl('GET', `${identity.url}/control`)}

Events from now on:
`;
}
