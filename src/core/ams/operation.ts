/**
 * A long-running operation as in Azure Resource Manager: an accepted change of an account, and its result. It holds the
 * input while work is left, and never a secret.
 */
import * as z from 'zod';
import type { AccountInput } from '../accounts/planChange.ts';
import type { Preconditions } from '../accounts/writeAccount.ts';
import type { Actor } from '../audit/auditEntry.ts';
import type { ArmPath } from '../base/armPath.ts';
import type { ErrorCode, ErrorDetail } from '../base/errors.ts';
import { isGuid } from '../base/names.ts';
import { type EpochMs, iso } from '../base/time.ts';

/** The requested change and its account. It holds no authority: neither the caller nor the caller's roles (INV-15). */
export interface Change {
  /** As written. */
  readonly account: string;
  /** PUT, which also creates; or PATCH. */
  readonly method: 'put' | 'patch';
  readonly input: AccountInput & { readonly place: ArmPath };
}

/** A change within the call that requests it. */
export interface RequestedChange extends Change {
  readonly actor: Actor;
  readonly mayRelease: boolean;
}

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
 * The changes that an operation can hold. It is parsed again when the operation runs; what a value may be is checked again where it
 * is used. Leaving a customer key is not in it: that needs a role, and never waits (INV-14).
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

/** The account's instance and key when the change was accepted: what the change was meant for. */
export interface Basis {
  readonly instanceId: string;
  readonly encryption: string;
}

export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
  readonly details?: readonly ErrorDetail[];
}

export interface Operation {
  readonly id: string;
  readonly account: string;
  readonly place: ArmPath;
  readonly startedAt: EpochMs;
  readonly status: 'InProgress' | 'Succeeded' | 'Failed';
  readonly endedAt?: EpochMs;
  readonly error?: Failure;
  /** While it is in progress. */
  readonly pending?: {
    readonly change: Change;
    readonly conditions: Preconditions;
    readonly basis?: Basis;
    /** The result of the last try, reported when there is no time for another. */
    readonly failure: Failure;
  };
}

/** Begins with its day, which is its partition. */
export const newOperationId = (now: EpochMs, uuid: string): string => `${dayOf(now)}-${uuid}`;

export const isOperationId = (text: string): boolean => /^\d{8}-/.test(text) && isGuid(text.slice(9));

/** `20261127` */
export const dayOf = (at: EpochMs): string => iso(at).slice(0, 10).replaceAll('-', '');
