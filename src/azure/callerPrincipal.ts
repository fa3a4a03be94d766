/**
 * The principal of Keyward that made a call. Microsoft calls its access tokens opaque, so nothing depends on reading
 * one. The principal is unknown when the claims of a token cannot be read, or when a refusal does not repeat its
 * caller. No signature is verified, because the token came from Microsoft Entra ID for this call and Key Vault verifies
 * it.
 */
import { isIP } from 'node:net';
import type { Principal } from '../core/customerKey/ports.ts';

const guid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** `appid` in tokens of version 1, `azp` in those of version 2 (Microsoft, "Access token claims reference"). */
export function principalInToken(authorization: string | undefined): Principal | undefined {
  const payload = /^Bearer [\w-]+\.([\w-]+)\.[\w-]*$/i.exec(authorization ?? '')?.[1];
  if (payload === undefined) return undefined;
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'));
    if (typeof claims !== 'object' || claims === null) return undefined;
    const { oid, appid, azp } = claims as Readonly<Record<string, unknown>>;
    return principalOf(oid, appid ?? azp);
  } catch {
    return undefined;
  }
}

/**
 * Key Vault repeats the caller in refusals: `Caller: appid=…;oid=…;iss=…` (azureossd, "Key Vault 403"; azure-docs
 * #84096).
 */
export function principalInRefusal(message: unknown): Principal | undefined {
  if (typeof message !== 'string') return undefined;
  return principalOf(/\boid=([0-9a-f-]{36})\b/i.exec(message)?.[1], /\bappid=([0-9a-f-]{36})\b/i.exec(message)?.[1]);
}

/** `Client address: 203.0.113.7`, in refusals of the firewall (hashicorp/terraform-provider-azurerm #20742). */
export function clientAddressIn(message: string): string | undefined {
  const [, address = ''] = /\bClient address: ([0-9a-f.:]{2,45})(?=[\s;,]|\.?$)/im.exec(message) ?? [];
  return isIP(address) === 0 ? undefined : address;
}

function principalOf(principalId: unknown, clientId: unknown): Principal | undefined {
  if (typeof principalId !== 'string' || !guid.test(principalId)) return undefined;
  const client = typeof clientId === 'string' && guid.test(clientId) ? { clientId: clientId.toLowerCase() } : {};
  return { principalId: principalId.toLowerCase(), ...client };
}
