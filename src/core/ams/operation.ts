/**
 * A long-running operation as in Azure Resource Manager: an accepted change of an account, and its result. It holds the
 * input while work is left, and never a secret.
 */
import type { AccountInput } from '../accounts/planChange.ts';
import type { Preconditions } from '../accounts/writeAccount.ts';
import type { Actor } from '../audit/auditFacts.ts';
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
