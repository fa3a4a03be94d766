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
export function forceAccount(name: string, actor: Actor, service: RotationDeps): Promise<AccountView> {
  return retryLostRaces(async () => {
    const view = await getAccount(name, service);
    refuseUnlessEnabled(view);
    const { record, etag, watch } = view;
    const account = boundIn({ value: record, etag });
    if (account === undefined)
      throw new Refusal('Conflict', 'The account uses the system key, so there is no customer key to re-wrap with.', {
        target: 'account',
      });
    const { binding, follows, version } = account.encryption;
    const described = await service.keyVault.describe(binding, follows ? undefined : version);
    if (!described.ok) throw keyFailure(described.cause, binding, described.observed);
    const [broken] = brokenRules(described.value, service.clock.now());
    if (broken !== undefined) throw keyFailure(broken, binding, described.observed);
    const { value: target } = described;
    const leaving = await service.bindings.readAccount(binding.id, boundOf(record, account.encryption));
    const failure = await rewrapAccount(account, { target, watch, actor, isWatched: false }, service);
    if (failure?.at === 'old' || (failure !== undefined && classOf(failure.cause) === 'unreachable'))
      throw keyUnreachable(view, failure.cause);
    if (failure !== undefined) throw keyFailure(failure.cause, binding, failure.observed);
    if (leaving !== undefined && target.version !== version) await service.bindings.removeAccount(binding.id, leaving);
    return getAccount(name, service);
  });
}

/** The watches that store the request. @throws Refusal NotFound when no account uses the key. */
export async function forceKey(keyIdentifier: string, actor: Actor, service: RotationDeps): Promise<Watch[]> {
  const watches = await watchesOf(parseKeyIdentifier(keyIdentifier, service.cloud), service);
  const requested: Watch[] = [];
  for (const { binding } of watches) {
    const stored = await service.bindings.readWatch(binding.id);
    if (stored === undefined) continue;
    const { value } = await updateWatch(stored, (watch) => withForce(watch, actor, service), service);
    requested.push(value);
    await service.queue.send({ vault: vaultIdOf(binding.vaultHost), requestedBy: 'admin' });
  }
  return requested;
}

function withForce(watch: Watch, by: Actor, { clock }: RotationDeps): Watch {
  const at = clock.now();
  return { ...watch, forced: { at, by }, nextVersionCheckAt: at };
}
