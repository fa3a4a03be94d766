/** The page that `npm start` prints: addresses, settings, and calls that work when pasted into a shell. */
import { readSettings } from '../azure/settings.ts';
import { location } from './operator.ts';
import type { Stack } from './stack.ts';

export const vault = 'contoso-keys';
const keyIdentifier = `https://${vault}.vault.azure.net/keys/media`;

/** One argument of a POSIX shell. */
export const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/** `who` is the caller's credential, as arguments of curl. */
export function startPage(stack: Stack, who: string, dir: string): string {
  const { host, keyVaultUrl, identity, topic, settings } = stack;
  const { policy } = readSettings({ ...process.env, ...settings });
  const curl = (method: string, url: string, rest = '') =>
    `curl -sS -w '\\n'${method === 'GET' ? '' : ` -X ${method}`} ${quoted(url)}${rest}`;
  const api = (method: string, path: string, body?: unknown) => {
    const json = body === undefined ? '' : ` -H 'content-type: application/json' -d ${quoted(JSON.stringify(body))}`;
    return curl(method, `${host.url}/api/accounts${path}`, ` ${who}${json}`);
  };
  const customer = (method: string, path: string) => curl(method, `${keyVaultUrl}/control/vaults/${vault}/keys${path}`);
  const inForce = Object.entries(settings).filter(([name]) => name.startsWith('KEYWARD_'));
  const customerKey = { encryption: { type: 'CustomerKey', keyVaultProperties: { keyIdentifier } } };

  return `
Keyward is running, all of it on this machine. Ctrl-C stops it.

  API            ${host.url}/api/accounts
  Key Vault      ${keyVaultUrl}/control   what customers do to their vaults
  Token issuer   ${identity.url}/control   tenants, identities, tokens
  Announcements  ${topic?.url}/control/events   what was published to the topic
  Data           ${dir}   kept; npm start -- --fresh begins anew

Settings in force
${inForce.map(([name, value]) => `  ${name.padEnd(32)}${value}`).join('\n')}
  Looks: every ${policy.lookIntervalHealthySeconds} s, ${policy.lookIntervalSuspectSeconds} s while Suspect, \
${policy.lookIntervalInaccessibleSeconds} s while Inaccessible.

# An account is created, then given the key that the customer has in the vault ${vault}
${api('PUT', '/alpha', { location, properties: { owner: 'contoso' } })}
${api('PATCH', '/alpha', { properties: customerKey })}

# The customer rotates the key; within seconds currentKeyIdentifier names the new version
${customer('POST', '/media/rotate')}
${api('GET', '/alpha')}

# The customer deletes the key; ask again and again: Suspect at the next sweep, CustomerKeyInaccessible once confirmed
${customer('DELETE', '/media')}
${api('GET', '/alpha')}

# The key is recovered, and the account Enabled again by itself
${customer('POST', '/media/recover')}
${api('GET', '')}

# Everything else that can be done to the vaults, and to the identities
${curl('GET', `${keyVaultUrl}/control`)}
${curl('GET', `${identity.url}/control`)}

What happens from now on:
`;
}
