/**
 * The key status: Keyward's signed statement about an account's key at one time. A caller may use the plaintext that
 * came with it until `notAfter`, which is the end of the lease under which it was opened, and not afterwards. So the
 * bound that Keyward publishes also holds in every client that follows this rule.
 */
import { type AccountView, verdictOn } from '../accounts/account.ts';
import type { KnownAccount, LeaseTerm } from '../accounts/processState.ts';
import { serveAccount } from '../accounts/serveAccount.ts';
import { defined } from '../base/defined.ts';
import { fold, indexKey } from '../base/names.ts';
import { iso } from '../base/time.ts';
import type { DataKeysDeps } from './deps.ts';

/** A caller's random text, which the status repeats. It shows that the status is no older than the call. */
export const noncePattern = /^[\w-]{16,64}$/;

type SignDeps = Pick<DataKeysDeps, 'statusKeys'>;

export function signKeyStatus(
  view: AccountView,
  term: LeaseTerm,
  nonce: string | undefined,
  { statusKeys }: SignDeps,
): Promise<string> {
  return statusKeys.sign({
    ...aboutAccount(view, nonce),
    issuedAt: iso(term.from),
    notAfter: iso(term.notAfter),
    ...(term.once ? { once: true } : {}),
  });
}

/** The status of a refused account: no key may be used any more, and why. */
export function signRefusedStatus(
  view: AccountView,
  nonce: string | undefined,
  { statusKeys, clock }: SignDeps & Pick<DataKeysDeps, 'clock'>,
): Promise<string> {
  const at = iso(clock.now());
  const isPending = view.record.pendingDeletion !== undefined;
  const cause = isPending ? 'AccountPendingDeletion' : (verdictOn(view)?.cause ?? 'UnknownResponse');
  return statusKeys.sign({ ...aboutAccount(view, nonce), issuedAt: at, notAfter: at, cause });
}

function aboutAccount({ record, watch }: AccountView, nonce: string | undefined) {
  const { encryption } = record;
  return {
    account: fold(record.name),
    accountId: record.instanceId,
    accountKeyGeneration: record.accountKeyGeneration,
    epoch: watch?.epoch ?? 0,
    ...(encryption.type === 'CustomerKey' ? { binding: encryption.binding.id } : {}),
    ...defined({ nonce }),
  };
}

export interface StatusNow {
  readonly view: AccountView;
  readonly term: LeaseTerm;
  /** Stays the same while a new status would end at the same time as the previous one. */
  readonly etag: string;
}

/**
 * The current status. It reads record and watch. The lease is the one that unwraps data keys: it is renewed in its last
 * fifth and costs nothing before. @throws Refusal AccountNotFound | CustomerKeyInaccessible @throws Unavailable
 * CustomerKeyUnreachable
 */
export function keyStatusNow(
  account: string,
  known: Promise<KnownAccount> | undefined,
  deps: DataKeysDeps,
): Promise<StatusNow> {
  const attempt = async (served: Promise<AccountView>): Promise<StatusNow> => {
    const view = await served;
    const term = await deps.leases.withAccountKey(view, (_, inTurn) => inTurn);
    const { instanceId, accountKeyGeneration } = view.record;
    const facts = [instanceId, String(accountKeyGeneration), String(view.watch?.epoch ?? 0), term.leaseId];
    return { view, term, etag: `"${indexKey('key-status', ...facts)}"` };
  };
  return serveAccount(account, known, { attempt, isWhole: () => true, discard: () => undefined }, deps);
}
