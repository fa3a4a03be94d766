/**
 * The directory of the emulator: tenants, the identities whose home they are, and the applications installed in them.
 *
 *   home tenant:      application ── federated credentials (identities that can act as it)
 *                         │ installed as
 *   customer tenant:  service principal, with an object id of its own and new at each installation
 */
import { randomUUID } from 'node:crypto';
import type * as z from 'zod';
import type { FederatedCredentialBody, IdentityBody, InstallBody, TenantBody } from './seeds.ts';

export type Tenant = z.output<typeof TenantBody> & { tenantId: string };
export type Principal = Omit<z.output<typeof IdentityBody>, 'clientId' | 'objectId'> & {
  name: string;
  clientId: string;
  objectId: string;
};
export type FederatedCredential = { name: string; issuer: string; subject: string; audiences: string[] };
export type Installation = { tenantId: string; identity: string; clientId: string; objectId: string; enabled: boolean };

/** A control call that the directory refuses; `target` names the wrong field or part of the path. */
export class DirectoryRefusal extends Error {
  readonly code: 'NotFound' | 'Conflict' | 'BadRequest';
  readonly target: string;
  constructor(code: DirectoryRefusal['code'], target: string, message: string) {
    super(message);
    this.name = 'DirectoryRefusal';
    this.code = code;
    this.target = target;
  }
}

export type Directory = ReturnType<typeof createDirectory>;

export function createDirectory() {
  const tenants = new Map<string, Tenant>();
  const principals = new Map<string, Principal>();
  const installations = new Map<string, Installation>();
  const credentials = new Map<string, Map<string, FederatedCredential>>();

  const tenant = (id: string) => found(tenants.get(id), 'tenant', id);
  const principal = (name: string) => found(principals.get(name), 'identity', name);
  const installationKey = (tenantId: string, clientId: string) => `${tenantId}/${clientId}`;

  function application(name: string): Principal {
    const app = principal(name);
    if (app.kind !== 'application') throw new DirectoryRefusal('Conflict', 'identity', `${name} is not an application`);
    return app;
  }

  function removePrincipal(name: string): void {
    const { clientId } = principal(name);
    for (const [key, installation] of installations) if (installation.clientId === clientId) installations.delete(key);
    credentials.delete(name);
    principals.delete(name);
  }

  return {
    tenants: () => [...tenants.values()],
    tenant,
    findTenant: (id: string) => tenants.get(id.toLowerCase()),
    putTenant(tenantId: string, body: z.output<typeof TenantBody>): Tenant {
      const put = { tenantId, ...body };
      tenants.set(tenantId, put);
      return put;
    },
    /** Removes the identities whose home it is too. */
    removeTenant(id: string): void {
      tenant(id);
      for (const { name, tenantId } of principals.values()) if (tenantId === id) removePrincipal(name);
      for (const [key, { tenantId }] of installations) if (tenantId === id) installations.delete(key);
      tenants.delete(id);
    },

    principals: () => [...principals.values()],
    principal,
    findPrincipal: (fits: (candidate: Principal) => boolean) => [...principals.values()].find(fits),
    /** An existing identity retains its ids; an identity that was deleted and is put again gets new ids. */
    putPrincipal(name: string, body: z.output<typeof IdentityBody>): Principal {
      const before = principals.get(name);
      checkPut(name, body, before);
      const clientId = before?.clientId ?? body.clientId ?? randomUUID();
      const objectId = before?.objectId ?? body.objectId ?? randomUUID();
      const put: Principal = { name, ...body, clientId, objectId };
      if (body.kind === 'userAssigned') put.resourceId ??= defaultResourceId(name);
      if (body.kind === 'user') put.userPrincipalName ??= `${name.toLowerCase()}@${body.tenantId}.example`;
      principals.set(name, put);
      if (before === undefined && put.kind === 'application') {
        const { tenantId } = put;
        installations.set(installationKey(tenantId, clientId), {
          tenantId,
          identity: name,
          clientId,
          objectId,
          enabled: true,
        });
      }
      return put;
    },
    setRoles(name: string, roles: string[]): Principal {
      const put = { ...principal(name), roles };
      principals.set(name, put);
      return put;
    },
    removePrincipal,

    installations: (tenantId: string) => [...installations.values()].filter((each) => each.tenantId === tenantId),
    findInstallation: (tenantId: string, clientId: string) => installations.get(installationKey(tenantId, clientId)),
    install(tenantId: string, name: string, body: z.output<typeof InstallBody>): Installation {
      tenant(tenantId);
      const { clientId } = application(name);
      const key = installationKey(tenantId, clientId);
      const objectId = body.objectId ?? installations.get(key)?.objectId ?? randomUUID();
      const put = { tenantId, identity: name, clientId, objectId, enabled: body.enabled };
      installations.set(key, put);
      return put;
    },
    uninstall(tenantId: string, name: string): void {
      const key = installationKey(tenantId, application(name).clientId);
      found(installations.get(key), 'app', `${name} in tenant ${tenantId}`);
      installations.delete(key);
    },

    credentialNames: (name = '') => [...(credentials.get(name)?.keys() ?? [])],
    federatedCredentials: (name: string) => [...(credentials.get(application(name).name)?.values() ?? [])],
    putFederatedCredential(app: string, name: string, body: z.output<typeof FederatedCredentialBody>) {
      const { tenantId } = application(app);
      const { issuer = entraIssuer(tenantId), identity, audiences } = body;
      const subject = body.subject ?? principal(identity ?? '').objectId;
      const put: FederatedCredential = { name, issuer, subject, audiences };
      credentials.set(app, (credentials.get(app) ?? new Map<string, FederatedCredential>()).set(name, put));
      return put;
    },
    removeFederatedCredential(app: string, name: string): void {
      const ofApp = credentials.get(application(app).name);
      found(ofApp?.get(name), 'federated credential', name);
      ofApp?.delete(name);
    },
  };

  function checkPut(name: string, body: z.output<typeof IdentityBody>, before: Principal | undefined): void {
    const refuse = (code: DirectoryRefusal['code'], target: string, message: string) => {
      throw new DirectoryRefusal(code, target, message);
    };
    if (!tenants.has(body.tenantId)) refuse('BadRequest', 'tenantId', `no tenant ${body.tenantId}: put it first`);
    if (body.secret !== undefined && body.kind !== 'application' && body.kind !== 'user') {
      refuse('BadRequest', 'secret', 'only an application or a user has a secret');
    }
    if (body.redirectUris !== undefined && body.kind !== 'application') {
      refuse('BadRequest', 'redirectUris', 'only an application has redirect URIs');
    }
    if (body.userPrincipalName !== undefined && body.kind !== 'user') {
      refuse('BadRequest', 'userPrincipalName', 'only a user has a userPrincipalName');
    }
    for (const field of ['tenantId', 'kind', 'clientId', 'objectId'] as const) {
      const changes = before !== undefined && body[field] !== undefined && body[field] !== before[field];
      if (changes) refuse('Conflict', field, `${name} exists with another ${field}: delete it first`);
    }
    const others = [...principals.values()].filter((other) => other.name !== name);
    if (others.some((other) => other.clientId === body.clientId)) {
      refuse('Conflict', 'clientId', `another identity has the client id ${body.clientId}`);
    }
    if (body.kind === 'systemAssigned' && others.some((other) => other.kind === 'systemAssigned')) {
      refuse('Conflict', 'kind', 'an app has one system-assigned identity, and there is one already');
    }
  }
}

/** The issuer in a federated credential (Microsoft docs: "Configure an application to trust a managed identity"). */
export const entraIssuer = (tenantId: string) => `https://login.microsoftonline.com/${tenantId}/v2.0`;

const defaultResourceId = (name: string) =>
  `/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/keyward/providers/Microsoft.ManagedIdentity/userAssignedIdentities/${name}`;

function found<T>(thing: T | undefined, what: string, id: string): T {
  if (thing === undefined) throw new DirectoryRefusal('NotFound', what, `no ${what} ${id}`);
  return thing;
}
