/** The schema of a change that waits in an operation. The adapter of operations does not load it. */
import * as z from 'zod';
import type { Change } from './operation.ts';

const text = z.string().max(1_000);
const identity = z.union([
  z.strictObject({ useSystemAssignedIdentity: z.literal(true) }),
  z.strictObject({ useSystemAssignedIdentity: z.literal(false), userAssignedIdentity: text }),
  z.strictObject({
    useSystemAssignedIdentity: z.literal(false),
    userAssignedIdentity: text,
    federatedIdentityClientId: text,
    tenantId: text,
  }),
]);

/**
 * The changes that an operation can hold. It is parsed again when the operation runs; what a value may be is checked
 * again where it is used. Leaving a customer key is not in it: that needs a role, and never waits (INV-14).
 */
const deferredChange = z.strictObject({
  account: text,
  method: z.enum(['put', 'patch']),
  input: z.strictObject({
    owner: text.exactOptional(),
    location: text.exactOptional(),
    tags: z.record(z.string(), z.string()).exactOptional(),
    encryption: z
      .union([
        z.strictObject({ type: z.literal('SystemKey') }),
        z.strictObject({ type: z.literal('CustomerKey'), keyIdentifier: text, identity }),
      ])
      .exactOptional(),
    auditKeyUse: z.boolean().exactOptional(),
    leaseSeconds: z.number().exactOptional(),
    place: z.strictObject({ subscriptionId: text, resourceGroup: text }),
    kept: z.record(z.string(), z.unknown()).exactOptional(),
  }),
}) satisfies z.ZodType<Change>;

/** @throws ZodError for what no version of Keyward lets wait */
export const parseDeferred = (change: unknown): Change => deferredChange.parse(change);
