/**
 * Re-wraps that an operator requests. One account: within the call. A key: a worker does it, within the budget of a
 * rotation. Both first read the newest version, even when it is known, and re-wrap the accounts that already use it
 * too.
 */
import { type AccountView, boundOf } from '../accounts/account.ts';
import { keyUnreachable, refuseUnlessEnabled } from '../accounts/gate.ts';
import { getAccount } from '../accounts/readAccount.ts';
import type { Actor } from '../audit/auditFacts.ts';
import { classOf } from '../base/causes.ts';
import { Refusal, retryLostRaces } from '../base/errors.ts';
import { keyFailure } from '../customerKey/acceptCustomerKey.ts';
import { vaultIdOf } from '../customerKey/binding.ts';
import { parseKeyIdentifier } from '../customerKey/keyIdentifier.ts';
import { brokenRules } from '../customerKey/keyRequirements.ts';
import { updateWatch } from '../watch/updateWatch.ts';
import type { Watch } from '../watch/watch.ts';
import type { RotationDeps } from './deps.ts';
import { boundIn, rewrapAccount } from './rewrapAccount.ts';
import { watchesOf } from './usage.ts';

/**
 * @throws Refusal when the account has no customer key, or its version cannot wrap; Unavailable when the vault does not
 * unwrap.
 */
export function forceAccount(name: string, actor: Actor, deps: RotationDeps): Promise<AccountView> {
  return retryLostRaces(async () => {
    const view = await getAccount(name, deps);
    refuseUnlessEnabled(view);
    const { record, etag, watch } = view;
    const account = boundIn({ value: record, etag });
    if (account === undefined)
      throw new Refusal('Conflict', 'The account uses the system key, so there is no customer key to re-wrap with.', {
        target: 'account',
      });
    const { binding, follows, version } = account.encryption;
    const described = await deps.keyVault.describe(binding, follows ? undefined : version);
    if (!described.ok) throw keyFailure(described.cause, binding, described.observed);
    const [broken] = brokenRules(described.value, deps.clock.now());
    if (broken !== undefined) throw keyFailure(broken, binding, described.observed);
    const { value: target } = described;
    const leaving = await deps.bindings.readAccount(binding.id, boundOf(record, account.encryption));
    const failure = await rewrapAccount(account, { target, watch, actor, isWatched: false }, deps);
    if (failure?.at === 'old' || (failure !== undefined && classOf(failure.cause) === 'unreachable'))
      throw keyUnreachable(view, failure.cause);
    if (failure !== undefined) throw keyFailure(failure.cause, binding, failure.observed);
    if (leaving !== undefined && target.version !== version) await deps.bindings.removeAccount(binding.id, leaving);
    return getAccount(name, deps);
  });
}

/** The watches that store the request. @throws Refusal NotFound when no account uses the key. */
export async function forceKey(keyIdentifier: string, actor: Actor, deps: RotationDeps): Promise<Watch[]> {
  const watches = await watchesOf(parseKeyIdentifier(keyIdentifier, deps.cloud), deps);
  const requested: Watch[] = [];
  for (const { binding } of watches) {
    const stored = await deps.bindings.readWatch(binding.id);
    if (stored === undefined) continue;
    const { value } = await updateWatch(stored, (watch) => withForce(watch, actor, deps), deps);
    requested.push(value);
    await deps.queue.send({ vault: vaultIdOf(binding.vaultHost), requestedBy: 'admin' });
  }
  return requested;
}

function withForce(watch: Watch, by: Actor, { clock }: RotationDeps): Watch {
  const at = clock.now();
  return { ...watch, forced: { at, by }, nextVersionCheckAt: at };
}
