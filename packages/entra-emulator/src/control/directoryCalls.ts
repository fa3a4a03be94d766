/** Control calls on tenants, identities, installed apps and federated credentials. */
import { FederatedCredentialBody, IdentityBody, InstallBody, RolesBody, TenantBody } from '../seeds.ts';
import { type ControlCall, credentialIn, gone, nameIn, ok, tenantIn, withBody } from './call.ts';

export const directoryCalls: ControlCall[] = [
  {
    method: 'GET',
    path: '/control/tenants',
    does: 'Tenants.',
    answer: (world) => ok(world.directory.tenants()),
  },
  {
    method: 'GET',
    path: '/control/tenants/:tenant',
    does: 'One tenant.',
    answer: (world, params) => ok(world.directory.tenant(tenantIn(params))),
  },
  {
    method: 'PUT',
    path: '/control/tenants/:tenant',
    does: 'Adds or changes a tenant; missingApp: the error for an application that it has not installed.',
    example: () => ({ displayName: 'Contoso', missingApp: 'AADSTS7000229' }),
    answer: withBody(TenantBody, (world, params, body) => world.directory.putTenant(tenantIn(params), body)),
  },
  {
    method: 'DELETE',
    path: '/control/tenants/:tenant',
    does: 'Removes a tenant and the identities whose home it is.',
    answer: (world, params) => {
      world.directory.removeTenant(tenantIn(params));
      return gone;
    },
  },
  {
    method: 'GET',
    path: '/control/tenants/:tenant/apps',
    does: 'Apps installed in a tenant, each with the object id of its service principal there.',
    answer: (world, params) => ok(world.directory.installations(tenantIn(params))),
  },
  {
    method: 'PUT',
    path: '/control/tenants/:tenant/apps/:name',
    does: 'Installs an application in a tenant, or disables (enabled: false) or enables it there.',
    example: () => ({ enabled: true }),
    answer: withBody(InstallBody, (world, params, body) =>
      world.directory.install(tenantIn(params), nameIn(params), body),
    ),
  },
  {
    method: 'DELETE',
    path: '/control/tenants/:tenant/apps/:name',
    does: 'Removes an application from a tenant, as its administrator can.',
    answer: (world, params) => {
      world.directory.uninstall(tenantIn(params), nameIn(params));
      return gone;
    },
  },
  {
    method: 'GET',
    path: '/control/identities',
    does: 'Identities of all tenants.',
    answer: (world) => ok(world.directory.principals()),
  },
  {
    method: 'GET',
    path: '/control/identities/:name',
    does: 'One identity.',
    answer: (world, params) => ok(world.directory.principal(nameIn(params))),
  },
  {
    method: 'PUT',
    path: '/control/identities/:name',
    does: 'Adds an identity (systemAssigned, userAssigned, application, user), or changes its roles, secret or resourceId.',
    exampleName: 'example-app',
    example: ({ tenant, roles }) => ({ tenantId: tenant, kind: 'application', roles }),
    answer: withBody(IdentityBody, (world, params, body) => world.directory.putPrincipal(nameIn(params), body)),
  },
  {
    method: 'DELETE',
    path: '/control/identities/:name',
    does: 'Deletes an identity everywhere. An identity that is put again has a new objectId, which old grants do not name.',
    answer: (world, params) => {
      world.directory.removePrincipal(nameIn(params));
      return gone;
    },
  },
  {
    method: 'PUT',
    path: '/control/identities/:name/roles',
    does: 'Sets the app roles in its tokens for the API.',
    example: ({ roles }) => ({ roles }),
    answer: withBody(RolesBody, (world, params, { roles }) => world.directory.setRoles(nameIn(params), roles)),
  },
  {
    method: 'GET',
    path: '/control/identities/:name/federated-credentials',
    does: 'The federated credentials of an application.',
    answer: (world, params) => ok(world.directory.federatedCredentials(nameIn(params))),
  },
  {
    method: 'PUT',
    path: '/control/identities/:name/federated-credentials/:credential',
    does: 'Lets a managed identity (by name, or by its object id as subject) act as an application.',
    example: ({ managedIdentity }) => ({ identity: managedIdentity }),
    answer: withBody(FederatedCredentialBody, (world, params, body) =>
      world.directory.putFederatedCredential(nameIn(params), credentialIn(params), body),
    ),
  },
  {
    method: 'DELETE',
    path: '/control/identities/:name/federated-credentials/:credential',
    does: 'Removes a federated credential.',
    answer: (world, params) => {
      world.directory.removeFederatedCredential(nameIn(params), credentialIn(params));
      return gone;
    },
  },
];
