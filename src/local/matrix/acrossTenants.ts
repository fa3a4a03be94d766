/** Vaults in customers' own tenants: an application of ours that the customer can show the door, and all that is our own fault. */
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

/** The token endpoint's answer to this application, in its customer's tenant or wherever it asks. */
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
  body: { error: 'invalid_grant', error_description: `AADSTS${code}: as told.`, error_codes: [code] },
});

export const acrossTenants: readonly Row[] = [
  {
    name: 'the customer removes our application from the tenant, and installs and grants it again',
    evidence: 'recorded',
    acrossTenants: true,
    inject: remove,
    end: install,
    expect: refusedAfterSeveral('IdentityNotAuthorized'),
  },
  {
    name: 'the customer disables our application in the tenant',
    evidence: 'documented',
    acrossTenants: true,
    ...disabledIn(tenantOf),
    expect: refusedAfterSeveral('IdentityNotAuthorized'),
  },
  {
    name: 'the role of our application on the key of another tenant is removed',
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
    name: 'our application is disabled at home, and so in every tenant: no customer has said anything',
    evidence: 'documented',
    acrossTenants: true,
    ...disabledIn(home, tenantOf),
    expect: outage('IdentityUnavailable'),
  },
  {
    name: 'our application trusts our identity no more',
    evidence: 'documented',
    acrossTenants: true,
    inject: ({ identity }, vault) =>
      identity('DELETE', `/identities/${applicationOf(vault)}/federated-credentials/keyward`),
    end: (world, vault) => trust(vault, world),
    expect: outage('IdentityUnavailable'),
  },
  {
    name: 'the token endpoint says to our application that a tenant does not exist (AADSTS90002)',
    evidence: 'documented',
    acrossTenants: true,
    ...tokenAnswer(entraSays(90002), 'customer'),
    expect: outage('TenantMismatch'),
  },
  {
    name: 'the token endpoint answers 503 to our application',
    evidence: 'inferred',
    acrossTenants: true,
    ...tokenAnswer({ kind: 'answer', status: 503, body: '' }, 'everywhere'),
    expect: outage('IdentityUnavailable'),
  },
];
