/**
 * Faults of the operator: identity, name resolution, own vault. Every customer's vault then seems to deny, and no
 * account may be blocked.
 */
import { clearFaults, outage, type Row } from './row.ts';
import { createIdentity, grantEverywhere, identityOf, operatorVault, type World } from './world.ts';

/** The token endpoint fails for the identity that only this row uses. */
function tokenFault(name: string, effect: Readonly<Record<string, unknown>>, evidence: Row['evidence']): Row {
  return {
    name: `token endpoint: ${name}`,
    evidence,
    ownIdentity: true,
    async inject({ identity }, vault) {
      const { clientId } = await identity<{ clientId: string }>('GET', `/identities/${identityOf(vault)}`);
      await identity('POST', '/faults', { endpoint: 'msi', clientId, effect });
    },
    async end({ identity }, vault) {
      const { clientId } = await identity<{ clientId: string }>('GET', `/identities/${identityOf(vault)}`);
      const faults = await identity<{ id: number; clientId?: string }[]>('GET', '/faults');
      for (const { id } of faults.filter((one) => one.clientId === clientId)) await identity('DELETE', `/faults/${id}`);
    },
    expect: outage('IdentityUnavailable'),
  };
}

const answering = (status: number, body: unknown) => ({ kind: 'answer', status, body });

const deleteIdentity = (world: World, vault: string) => world.identity('DELETE', `/identities/${identityOf(vault)}`);

async function bringBack(world: World, vault: string): Promise<void> {
  await grantEverywhere(world, vault, await createIdentity(world, vault));
}

export const ownIdentity: readonly Row[] = [
  tokenFault('400', answering(400, { statusCode: 400, message: 'No User Assigned Identity found.' }), 'documented'),
  tokenFault(
    '400 with AADSTS700016 in its text, as if a customer had removed the application',
    answering(400, { statusCode: 400, message: 'AADSTS700016: Application was not found in the directory.' }),
    'recorded',
  ),
  tokenFault('429', answering(429, ''), 'documented'),
  tokenFault('500', answering(500, { statusCode: 500, message: 'InternalServerError' }), 'documented'),
  tokenFault('503 with HTML', answering(503, '<html>Service Unavailable</html>'), 'inferred'),
  tokenFault('200 with HTML', answering(200, '<html>Welcome</html>'), 'inferred'),
  tokenFault('a reset connection', { kind: 'reset' }, 'inferred'),
  tokenFault('no answer', { kind: 'hang' }, 'inferred'),
  {
    name: "Keyward's identity is deleted, later created again, and granted on every vault",
    evidence: 'documented',
    ownIdentity: true,
    inject: deleteIdentity,
    end: bringBack,
    expect: outage('IdentityUnavailable'),
  },
  {
    name: "Keyward's identity is deleted and created again: every vault, also the operator's, denies it until it is granted",
    evidence: 'documented',
    ownIdentity: true,
    async inject(world, vault) {
      await deleteIdentity(world, vault);
      await createIdentity(world, vault);
    },
    end: bringBack,
    expect: outage('IdentityReplaced'),
  },
  {
    name: 'our identity is deleted, created again, and granted by the operator alone',
    evidence: 'documented',
    ownIdentity: true,
    async inject(world, vault) {
      await deleteIdentity(world, vault);
      const { objectId } = await createIdentity(world, vault);
      await world.lab.keyVault('PUT', `/vaults/${operatorVault}/grants/${objectId}`, {
        permissions: 'cryptoServiceEncryptionUser',
      });
    },
    end: bringBack,
    expect: outage('IdentityReplaced'),
  },
];

/** Faults of this vault and of the operator's, together. */
function both(body: Readonly<Record<string, unknown>>, operators = body): Pick<Row, 'inject' | 'end'> {
  return {
    async inject({ lab }, vault) {
      await lab.keyVault('POST', '/faults', { vault: operatorVault, ...operators });
      await lab.keyVault('POST', '/faults', { vault, ...body });
    },
    async end(world, vault) {
      await clearFaults(world, operatorVault);
      await clearFaults(world, vault);
    },
  };
}

const denied = { action: 'forbidden', inner: 'ForbiddenByRbac' };

export const everybody: readonly Row[] = [
  {
    name: "no name resolves (ENOTFOUND), not even the operator's vault: a fault of the operator's resolver",
    evidence: 'inferred',
    alone: true,
    ...both({ action: 'network', code: 'ENOTFOUND' }),
    expect: outage('DnsFailure'),
  },
  {
    name: 'no name can be resolved (EAI_AGAIN)',
    evidence: 'documented',
    alone: true,
    ...both({ action: 'network', code: 'EAI_AGAIN' }),
    expect: outage('DnsFailure'),
  },
  {
    name: "every vault answers 403 ForbiddenByRbac, also the operator's",
    evidence: 'inferred',
    alone: true,
    ...both(denied),
    expect: outage('IdentityUnavailable'),
  },
  {
    name: "the grant is removed while our own vault answers 503: nothing shows that the denial is the customer's",
    evidence: 'inferred',
    alone: true,
    ...both(denied, { action: 'status', status: 503 }),
    expect: outage('IdentityUnavailable'),
  },
];
