/** An account whose creation waits for a silent vault: callers see it, and its name is taken. */
import type { AccountInput } from '../accounts/planChange.ts';
import type { ArmPath } from '../base/armPath.ts';
import { fold } from '../base/names.ts';
import type { AmsDeps } from './deps.ts';
import { parseDeferred } from './operation.ts';

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
  const to = clock.now();
  const from = to - policy.operationTimeoutSeconds * 1000;
  const operation = await operations.lastCreation(fold(account), { from, to });
  if (operation?.status !== 'InProgress' || operation.pending === undefined || operation.startedAt < from)
    return undefined;
  const { place, startedAt } = operation;
  if (await operations.isDeletedSince(operation.account, place, { from: startedAt, to })) return undefined;
  const { account: name, input } = parseDeferred(operation.pending.change);
  return { name, place, input };
}
