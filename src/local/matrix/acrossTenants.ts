/**
 * Vaults in customers' own tenants: what the customer can do to the operator's application, and the operator's own
 * faults.
 */
import { applicationOf, installApplication, removeApplication, tenantOf, trust } from '../acrossTenants.ts';
import { homeTenantId } from '../operator.ts';
import { outage, type Row, refusedAfterSeveral } from './row.ts';
import { controlsOf, type World } from './world.ts';

const install = (world: World, vault: string) => installApplication(vault, vault, controlsOf(world));
const remove = (world: World, vault: string) => removeApplication(vault, controlsOf(world));

const setEnabled = ({ identity }: World, vault: string, tenant: string, enabled: boolean) =>
  identity('PUT', `/tenants/${tenant}/apps/${applicationOf(vault)}`, { enabled });

const disabledIn = (...tenantsOf: ((vault: string) => string)[]): Pick<Row, 'inject' | 'end'> => {
  const set = (enabled: boolean) => async (world: World, vault: string) => {
    for (const of of tenantsOf) await setEnabled(world, vault, of(vault), enabled);
  };
  return { inject: set(false), end: set(true) };
};

const home = () => homeTenantId;

/** The token endpoint's response to this application, in its customer's tenant or in every tenant. */
function tokenAnswer(effect: Readonly<Record<string, unknown>>, where: 'customer' | 'everywhere') {
  const clientIdOf = async ({ identity }: World, vault: string) =>
    (await identity<{ clientId: string }>('GET', `/identities/${applicationOf(vault)}`)).clientId;
  return {
    async inject(world: World, vault: string) {
      const tenant = where === 'customer' ? { tenantId: tenantOf(vault) } : {};
      const clientId = await clientIdOf(world, vault);
      await world.identity('POST', '/faults', { endpoint: 'token', clientId, ...tenant, effect });
    },
    async end(world: World, vault: string) {
      const clientId = await clientIdOf(world, vault);
      const faults = await world.identity<{ id: number; clientId?: string }[]>('GET', '/faults');
      for (const { id } of faults.filter((one) => one.clientId === clientId))
        await world.identity('DELETE', `/faults/${id}`);
    },
  } satisfies Pick<Row, 'inject' | 'end'>;
}

const entraSays = (code: number) => ({
  kind: 'answer',
  status: 400,
  body: { error: 'invalid_grant', error_description: `AADSTS${code}: injected.`, error_codes: [code] },
});

export const acrossTenants: readonly Row[] = [
  {
    name: "the customer removes the operator's application from the tenant, then installs and grants it again",
    evidence: 'recorded',
    acrossTenants: true,
    inject: remove,
    end: install,
    expect: refusedAfterSeveral('IdentityNotAuthorized'),
  },
  {
    name: "the customer disables the operator's application in the tenant",
    evidence: 'documented',
    acrossTenants: true,
    ...disabledIn(tenantOf),
    expect: refusedAfterSeveral('IdentityNotAuthorized'),
  },
  {
    name: "the customer removes the application's role on the key in another tenant",
    evidence: 'recorded',
    acrossTenants: true,
    async inject(world, vault) {
      const { objectId } = await world.identity<{ objectId: string }>(
        'PUT',
        `/tenants/${tenantOf(vault)}/apps/${applicationOf(vault)}`,
        {},
      );
      await world.lab.keyVault('DELETE', `/vaults/${vault}/grants/${objectId}`);
    },
    end: install,
    expect: refusedAfterSeveral('KeyPermissionDenied'),
  },
  {
    name: 'the application is disabled in the home tenant, and so in every tenant: no customer has denied anything',
    evidence: 'documented',
    acrossTenants: true,
    ...disabledIn(home, tenantOf),
    expect: outage('IdentityUnavailable'),
  },
  {
    name: "the application no longer trusts Keyward's identity",
    evidence: 'documented',
    acrossTenants: true,
    inject: ({ identity }, vault) =>
      identity('DELETE', `/identities/${applicationOf(vault)}/federated-credentials/keyward`),
    end: (world, vault) => trust(vault, world),
    expect: outage('IdentityUnavailable'),
  },
  {
    name: 'the token endpoint answers to the application that a tenant does not exist (AADSTS90002)',
    evidence: 'documented',
    acrossTenants: true,
    ...tokenAnswer(entraSays(90002), 'customer'),
    expect: outage('TenantMismatch'),
  },
  {
    name: 'the token endpoint answers 503 to the application',
    evidence: 'inferred',
    acrossTenants: true,
    ...tokenAnswer({ kind: 'answer', status: 503, body: '' }, 'everywhere'),
    expect: outage('IdentityUnavailable'),
  },
];
