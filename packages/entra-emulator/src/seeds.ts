/**
 * The schemas of the directory's contents, for the control calls and for the options of `startIdentity`.
 * Entra ignores the case of ids, so they are stored in lower case.
 */
import * as z from 'zod';

const guid = z.guid('must be a GUID').toLowerCase();
const name = z.string().regex(/^[\w.-]{1,80}$/, 'must be 1 to 80 letters, digits, ".", "_" or "-"');
const roles = z.array(z.string().min(1)).max(50);

export const TenantId = guid;
export const Name = name;

export const TenantBody = z.strictObject({
  displayName: z.string().exactOptional(),
  /**
   * The error for an application that is not installed here. Clients report both codes; Entra's error reference does
   * not state which one a client credentials request gets.
   */
  missingApp: z.enum(['AADSTS7000229', 'AADSTS700016']).default('AADSTS7000229'),
});

export const IdentityBody = z.strictObject({
  tenantId: guid,
  kind: z.enum(['systemAssigned', 'userAssigned', 'application', 'user']),
  clientId: guid.exactOptional(),
  objectId: guid.exactOptional(),
  roles: roles.default([]),
  /** ARM id; a request for a user-assigned identity can name it. */
  resourceId: z.string().startsWith('/subscriptions/', 'must be an ARM id: /subscriptions/...').exactOptional(),
  /** Client secret of an application, or password of a user. */
  secret: z.string().min(1).exactOptional(),
  /** Of an application: where a browser returns after the sign-in. Each is compared as a whole. */
  redirectUris: z.array(z.url()).max(20).exactOptional(),
  /** Of a user, who signs in with it; default: `{name}@{tenantId}.example`. */
  userPrincipalName: z
    .string()
    .regex(/^[^@\s]+@[^@\s]+$/, 'must be name@domain')
    .toLowerCase()
    .exactOptional(),
});

export const RolesBody = z.strictObject({ roles });

export const InstallBody = z.strictObject({
  /** The object id of the service principal in that tenant, which grants on keys name. New with each installation. */
  objectId: guid.exactOptional(),
  /** False: the tenant's administrator has disabled the enterprise application. */
  enabled: z.boolean().default(true),
});

export const FederatedCredentialBody = z
  .strictObject({
    /** Default: the home tenant of the app, as Entra writes it for a managed identity. */
    issuer: z.string().min(1).exactOptional(),
    subject: z.string().min(1).exactOptional(),
    /** Instead of `subject`: the managed identity whose object id is the subject. */
    identity: name.exactOptional(),
    audiences: z.array(z.string().min(1)).length(1).default(['api://AzureADTokenExchange']),
  })
  .refine((body) => (body.subject === undefined) !== (body.identity === undefined), {
    error: 'give either `subject` or `identity`',
    path: ['subject'],
  });

/** At most one year, which is longer than any token of Entra is valid. */
const lifetime = z.int().min(1).max(31_536_000);
export const LifetimeBody = z.strictObject({ msi: lifetime.exactOptional(), token: lifetime.exactOptional() });
export const ClockBody = z.strictObject({ offsetSeconds: z.int() });
export const AudiencesBody = z.strictObject({ audiences: z.array(z.string().min(1)).min(1) });
export const MintBody = z.strictObject({
  identity: name,
  resource: z.string().min(1),
  tenant: guid.exactOptional(),
  /** For a user: the application that the user signed in to. */
  clientId: guid.exactOptional(),
});

export const FaultBody = z.strictObject({
  endpoint: z.enum(['msi', 'token']),
  clientId: guid.exactOptional(),
  tenantId: guid.exactOptional(),
  /** How many requests it affects; absent: all until it is deleted. */
  count: z.int().min(1).exactOptional(),
  effect: z.discriminatedUnion('kind', [
    z.strictObject({
      kind: z.literal('answer'),
      status: z.int().min(200).max(599),
      /** An object is sent as JSON, a string as it is. */
      body: z.union([z.string(), z.record(z.string(), z.unknown())]).exactOptional(),
      headers: z.record(z.string(), z.string()).exactOptional(),
    }),
    z.strictObject({ kind: z.literal('reset') }),
    z.strictObject({ kind: z.literal('hang') }),
    z.strictObject({ kind: z.literal('delay'), ms: z.int().min(0).max(600_000) }),
  ]),
});

/** The options of `startIdentity` in JSON, which is also the argument of the process. */
export const Seeds = z.strictObject({
  port: z.int().min(0).max(65_535).exactOptional(),
  identityHeader: z.string().min(1).exactOptional(),
  apiAudience: z.string().min(1).exactOptional(),
  lifetimeSeconds: LifetimeBody.exactOptional(),
  tenants: z.array(TenantBody.extend({ tenantId: guid })).exactOptional(),
  identities: z.array(IdentityBody.extend({ name })).exactOptional(),
  apps: z.array(InstallBody.extend({ tenantId: guid, identity: name })).exactOptional(),
  federatedCredentials: z
    .array(z.strictObject({ app: name, name, credential: FederatedCredentialBody }))
    .exactOptional(),
});
