/**
 * A look that an operator requests: it runs at once and returns its result. It counts like any other look, so frequent
 * requests do not confirm a denial sooner.
 */

import { accountNotFound } from '../accounts/readAccount.ts';
import { Refusal } from '../base/errors.ts';
import { fold, parseAccountName } from '../base/names.ts';
import { vaultIdOf } from '../customerKey/binding.ts';
import { parseKeyIdentifier } from '../customerKey/keyIdentifier.ts';
import type { Watch } from '../watch/watch.ts';
import type { VaultWorkDeps } from './deps.ts';
import { lookAtBinding } from './look.ts';
import { auditLooks, type LookRound } from './lookRound.ts';
import { openWatch, watchAccount } from './restoreWatch.ts';

export type LookTarget = { readonly account: string } | { readonly keyIdentifier: string };

/** The watches after the look. @throws Refusal when no account uses the named key. */
export async function lookNow(target: LookTarget, deps: VaultWorkDeps): Promise<Watch[]> {
  const ids = 'account' in target ? await bindingOfAccount(target.account, deps) : await bindingsOfKey(target, deps);
  const looked: Watch[] = [];
  const round: LookRound = { used: [] };
  const requested = { ...deps, trigger: { trigger: 'admin' } as const };
  for (const id of ids) {
    const stored = await openWatch(id, requested);
    if (stored === undefined) continue;
    const { value } = await lookAtBinding(stored, round, requested);
    looked.push(value);
    // The vault's worker writes the accounts' audit and makes the next look at a Suspect key.
    await deps.queue.send({ vault: vaultIdOf(value.binding.vaultHost), requestedBy: 'admin' });
  }
  await auditLooks(round, requested);
  if (looked.length > 0) return looked;
  throw new Refusal('NotFound', 'No account uses this key, so Keyward cannot check it.', {
    target: 'keyIdentifier',
  });
}

async function bindingOfAccount(name: string, deps: VaultWorkDeps): Promise<string[]> {
  const stored = await deps.accounts.read(fold(parseAccountName(name)));
  if (stored?.value.lifecycle !== 'active') throw accountNotFound(name);
  const { encryption } = stored.value;
  if (encryption.type === 'CustomerKey') {
    await watchAccount(stored.value, encryption, deps);
    return [encryption.binding.id];
  }
  throw new Refusal('NotFound', 'The account uses the system key, so it has no customer key to check.', {
    target: 'account',
  });
}

/** Every binding of the key, for every identity and tenant. */
async function bindingsOfKey({ keyIdentifier }: { keyIdentifier: string }, deps: VaultWorkDeps): Promise<string[]> {
  const key = parseKeyIdentifier(keyIdentifier, deps.cloud);
  const ids = await deps.vaults.bindings(vaultIdOf(key.vaultHost));
  const watches = await Promise.all(ids.map((id) => openWatch(id, deps)));
  // A copied row can name a binding of another vault (INV-13).
  return watches.flatMap((watch) => {
    const { id, keyName, vaultHost } = watch?.value.binding ?? {};
    return id !== undefined && keyName === key.keyName && vaultHost === key.vaultHost ? [id] : [];
  });
}
