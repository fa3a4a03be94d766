/**
 * The key status: what Keyward signs about an account's key at one moment. A holder of plaintext that came with it may
 * use the plaintext until `notAfter`, which is the end of the lease that it was opened under, and not afterwards. So
 * the bound that Keyward publishes for itself holds in every client that keeps this rule.
 */
import { type AccountView, verdictOn } from '../accounts/account.ts';
import type { KnownAccount, LeaseTerm } from '../accounts/processState.ts';
import { serveAccount } from '../accounts/serveAccount.ts';
import { defined } from '../base/defined.ts';
import { fold, indexKey } from '../base/names.ts';
import { iso } from '../base/time.ts';
import type { DataKeysDeps } from './deps.ts';

/** A caller's random text, which the status repeats: it shows that the status is no older than the call. */
export const noncePattern = /^[\w-]{16,64}$/;

type SignTools = Pick<DataKeysDeps, 'statusKeys'>;

export function signKeyStatus(
  view: AccountView,
  term: LeaseTerm,
  nonce: string | undefined,
  { statusKeys }: SignTools,
): Promise<string> {
  return statusKeys.sign({
    ...aboutAccount(view, nonce),
    issuedAt: iso(term.from),
    notAfter: iso(term.notAfter),
    ...(term.once ? { once: true } : {}),
  });
}

/** Of an account that is refused: nothing may be used any more, and why. */
export function signRefusedStatus(
  view: AccountView,
  nonce: string | undefined,
  { statusKeys, clock }: SignTools & Pick<DataKeysDeps, 'clock'>,
): Promise<string> {
  const at = iso(clock.now());
  const cause = verdictOn(view)?.cause ?? 'UnknownResponse';
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
  /** Stays while a new status would end when the one before it does. */
  readonly etag: string;
}

/**
 * The status as it is now: record and watch are read, and the lease is the one that unwraps data keys, which is renewed
 * in its last fifth and costs nothing before. @throws Refusal AccountNotFound | CustomerKeyInaccessible @throws
 * Unavailable CustomerKeyUnreachable
 */
export function keyStatusNow(
  account: string,
  known: Promise<KnownAccount> | undefined,
  service: DataKeysDeps,
): Promise<StatusNow> {
  const attempt = async (served: Promise<AccountView>): Promise<StatusNow> => {
    const view = await served;
    const term = await service.leases.withAccountKey(view, (_, inTurn) => inTurn);
    const { instanceId, accountKeyGeneration } = view.record;
    const facts = [instanceId, String(accountKeyGeneration), String(view.watch?.epoch ?? 0), term.leaseId];
    return { view, term, etag: `"${indexKey('key-status', ...facts)}"` };
  };
  return serveAccount(account, known, { attempt, isWhole: () => true, discard: () => undefined }, service);
}
