/**
 * Verifies that a bearer token of the local issuer is for Event Grid and of a principal with the role EventGrid Data
 * Sender.
 */
import { createRemoteJWKSet, jwtVerify } from 'jose';

const audience = 'https://eventgrid.azure.net';

export function createSenderCheck({
  identityUrl,
  tenantId,
  senders,
}: {
  readonly identityUrl: string;
  readonly tenantId: string;
  readonly senders: readonly string[];
}): (authorization: string | undefined) => Promise<boolean> {
  const keys = createRemoteJWKSet(new URL(`${identityUrl}/${tenantId}/discovery/v2.0/keys`), { cooldownDuration: 0 });
  const claims = { issuer: `https://sts.windows.net/${tenantId}/`, audience, algorithms: ['RS256'] };
  return async (authorization) => {
    const token = /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1] ?? '';
    try {
      const { payload } = await jwtVerify(token, keys, claims);
      return senders.includes(String(payload.oid));
    } catch {
      return false;
    }
  };
}
