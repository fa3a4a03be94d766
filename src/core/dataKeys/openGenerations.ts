/** The keys that wrap the data keys of an account, opened for one use of its leased account key. */
import type { AccountView } from '../accounts/account.ts';
import { isOpen, type OpenGeneration, withNewGeneration } from '../accounts/dataKeyGenerations.ts';
import { refuseUnlessEnabled } from '../accounts/gate.ts';
import type { LeaseTerm } from '../accounts/processState.ts';
import { accountNotFound, getAccount } from '../accounts/readAccount.ts';
import { openInRecord } from '../accounts/secretLayers.ts';
import { saveWithSameEtag, storedOf } from '../accounts/writeAccount.ts';
import { wipe } from '../base/bytes.ts';
import { Refusal, retryLostRaces } from '../base/errors.ts';
import { fold } from '../base/names.ts';
import { KeyMaterialMismatch } from '../crypto/accountKeyEnvelope.ts';
import { type DataKeyMaterial, dataKeyMaterialIn } from '../crypto/dataKeyEnvelope.ts';
import type { DataKeysDeps } from './deps.ts';

/**
 * `destroyed`: the operator has destroyed the key of this generation. Undefined: the account never wrapped a data key
 * under it.
 */
export type MaterialOf = (generation: number) => DataKeyMaterial | 'destroyed' | undefined;

export interface InTurn<T> {
  readonly value: T;
  readonly term: LeaseTerm;
}

type OpenDeps = Pick<DataKeysDeps, 'rings' | 'leases' | 'log'>;

/**
 * Runs `work` with one use of the lease. @throws Unavailable CustomerKeyUnreachable @throws Refusal KeyMaterialMismatch
 */
export async function withMaterial<T>(
  view: AccountView,
  deps: OpenDeps,
  work: (materialOf: MaterialOf) => T,
): Promise<InTurn<T>> {
  const { atRest } = await deps.rings();
  const { record } = view;
  return deps.leases.withAccountKey(view, (accountKey, term) => {
    const opened = new Map<number, DataKeyMaterial>();
    const materialOf: MaterialOf = (generation) => {
      const known = opened.get(generation);
      const found = record.dataKeyGenerations?.find((one) => one.generation === generation);
      if (known !== undefined || found === undefined) return known;
      if (!isOpen(found)) return 'destroyed';
      const material = open(found);
      opened.set(generation, material);
      return material;
    };
    /** Damage of the record raises an alarm. Input of a caller is checked elsewhere and never raises one. */
    const open = (found: OpenGeneration): DataKeyMaterial => {
      try {
        return dataKeyMaterialIn(openInRecord('dataKeys', found, accountKey, record, atRest));
      } catch (error) {
        throw error instanceof KeyMaterialMismatch ? damaged(view, deps) : error;
      }
    };
    try {
      return { value: work(materialOf), term };
    } finally {
      for (const { inner, outer } of opened.values()) wipe(inner, outer);
    }
  });
}

function damaged({ record: { name } }: AccountView, { log }: OpenDeps): Refusal {
  log.error('An account key does not match its record', { account: fold(name) });
  return new Refusal(
    'KeyMaterialMismatch',
    'The key that wraps the data keys of this account does not open, because its record was edited or damaged. Nothing was changed. Restore the record from a back-up.',
    { target: name },
  );
}

/**
 * The account with a key that wraps data keys under its newest account key, made at the first use. @throws Refusal
 * AccountNotFound | CustomerKeyInaccessible
 */
export async function withNewestGeneration(view: AccountView, deps: DataKeysDeps): Promise<AccountView> {
  if (hasNewest(view)) return view;
  const { name, instanceId } = view.record;
  return deps.serialize(fold(name), () =>
    retryLostRaces(async () => {
      const current = await getAccount(name, deps);
      if (current.record.instanceId !== instanceId) throw accountNotFound(fold(name));
      if (hasNewest(current)) return current;
      refuseUnlessEnabled(current);
      const { record } = current;
      const { atRest } = await deps.rings();
      const dataKeyGenerations = await deps.leases.withAccountKey(current, (accountKey) =>
        withNewGeneration(record, accountKey, deps.clock.now(), { atRest, random: deps.random }),
      );
      const after = String(record.accountKeyGeneration);
      const created = { type: 'DataKeyGenerationCreated', actor: keyward, after } as const;
      await saveWithSameEtag(storedOf(current), { ...record, dataKeyGenerations }, [created], deps);
      return getAccount(name, deps);
    }),
  );
}

const keyward = { kind: 'keyward', id: 'dataKeys' } as const;

const hasNewest = ({ record }: AccountView): boolean =>
  record.dataKeyGenerations?.some((one) => one.generation === record.accountKeyGeneration && isOpen(one)) ?? false;
