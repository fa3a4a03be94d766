/** An account whose creation waits for a silent vault: callers see it, and its name is taken. */
import type { AccountInput } from '../accounts/planChange.ts';
import type { ArmPath } from '../base/armPath.ts';
import { fold } from '../base/names.ts';
import type { EpochMs } from '../base/time.ts';
import { parseDeferred } from './deferredChange.ts';
import type { AmsDeps } from './deps.ts';
import type { Operation } from './operation.ts';
import type { DeletionMarks } from './ports.ts';

export interface AwaitedAccount {
  /** As written. */
  readonly name: string;
  readonly place: ArmPath;
  readonly input: AccountInput;
}

/** Undefined when no creation of the name waits: it has ended, its time is over, or the account was deleted since. */
export async function awaitedCreation(
  account: string,
  { operations, clock, policy }: Pick<AmsDeps, 'operations' | 'clock' | 'policy'>,
): Promise<AwaitedAccount | undefined> {
  const time = timeOf({ clock, policy });
  return awaitedIn(await operations.lastCreation(fold(account), time), time, operations);
}

/** Every account that is awaited, of all subscriptions. */
export async function awaitedCreations({
  operations,
  clock,
  policy,
}: Pick<AmsDeps, 'operations' | 'clock' | 'policy'>): Promise<readonly AwaitedAccount[]> {
  const time = timeOf({ clock, policy });
  const begun = await operations.lastCreations(time);
  const awaited = await Promise.all(begun.map((operation) => awaitedIn(operation, time, operations)));
  return awaited.filter((one) => one !== undefined);
}

interface Period {
  readonly from: EpochMs;
  readonly to: EpochMs;
}

function timeOf({ clock, policy }: Pick<AmsDeps, 'clock' | 'policy'>): Period {
  const to = clock.now();
  return { from: to - policy.operationTimeoutSeconds * 1000, to };
}

async function awaitedIn(
  operation: Operation | undefined,
  { from, to }: Period,
  operations: DeletionMarks,
): Promise<AwaitedAccount | undefined> {
  if (operation?.status !== 'InProgress' || operation.pending === undefined || operation.startedAt < from)
    return undefined;
  const { place, startedAt } = operation;
  if (await operations.isDeletedSince(operation.account, place, { from: startedAt, to })) return undefined;
  const { account: name, input } = parseDeferred(operation.pending.change);
  return { name, place, input };
}
