/** Wraps an account key under the system key, or under a customer key that was validated and proven first. */

import type { AuditFacts } from '../audit/auditFacts.ts';
import { type Bytes, wipe } from '../base/bytes.ts';
import { defined } from '../base/defined.ts';
import { Refusal } from '../base/errors.ts';
import type { KeyContext } from '../crypto/accountKeyEnvelope.ts';
import { wipeAccountKey } from '../crypto/subkeys.ts';
import { acceptCustomerKey, type CustomerKeyInput, keyFailure, type Owned } from '../customerKey/acceptCustomerKey.ts';
import type { Proof } from '../watch/updateWatch.ts';
import type { AccountView, DataKeyGeneration, Encryption, OlderAccountKeys } from './account.ts';
import { keyContextOf, openAccountKey, type Proven, wrapByCustomerKey, wrapBySystemKey } from './accountKey.ts';
import { refuseTooManyGenerations, takeOverGenerations } from './dataKeyGenerations.ts';
import type { AccountsDeps } from './deps.ts';
import { causeOf, keyUnreachable, requestLookAfter } from './gate.ts';
import { keepOlderKeys } from './secretLayers.ts';

export type EncryptionInput = { readonly type: 'SystemKey' } | ({ readonly type: 'CustomerKey' } & CustomerKeyInput);

export interface Protected {
  readonly encryption: Encryption;
  readonly wrappedAccountKey: string;
  readonly accountKeyGeneration: number;
  /** Set when the account key is new. */
  readonly olderAccountKeys?: OlderAccountKeys;
  /** Set when the account key is new and has data keys. */
  readonly dataKeyGenerations?: readonly DataKeyGeneration[];
  /** The remote unwrap that proved the key; under the system key, only its time. */
  readonly proof: Proof;
  /** Key Vault's request id of the proof. */
  readonly facts: Pick<AuditFacts, 'keyVaultRequestId'>;
}

/**
 * The account's key under another key. To leave a customer key takes a fresh remote unwrap under it, never a lease
 * (INV-12). To leave the system key makes a new account key, so that no older copy of the row opens what the new key
 * protects.
 */
export async function changeKey(current: AccountView, input: EncryptionInput, deps: AccountsDeps): Promise<Protected> {
  const { record } = current;
  if (record.encryption.type === 'SystemKey') return renewAccountKey(current, input, deps);
  const opened = await openAccountKey(record, deps);
  if (!opened.ok) {
    await requestLookAfter(opened.cause, record, deps);
    throw keyUnreachable(current, causeOf(current, opened));
  }
  try {
    return await protect(keyContextOf(record), opened.value, input, record, deps);
  } finally {
    wipe(opened.value);
  }
}

const maxOlderKeys = 8;

/**
 * A new account key under the key of the input. The old account key, and the older ones that it protects, can still
 * decrypt until every secret is under the new one. Rests on a fresh unwrap of the old one (INV-12).
 */
export async function renewAccountKey(
  { record, ...view }: AccountView,
  input: EncryptionInput,
  deps: AccountsDeps,
): Promise<Protected> {
  const older = record.olderAccountKeys;
  if ((older?.keys.length ?? 0) >= maxOlderKeys)
    throw new Refusal(
      'Conflict',
      `Secrets are still under ${maxOlderKeys} earlier account keys, which is the limit. Retry when the account has no olderAccountKeys. After an hour, the reason is rows that do not open: the account's SecretIntegrityFailed entries and the log name them.`,
    );
  refuseTooManyGenerations(record);
  const { atRest } = await deps.rings();
  const opened = await openAccountKey(record, deps);
  if (!opened.ok) {
    await requestLookAfter(opened.cause, record, deps);
    throw keyUnreachable({ record, ...view }, causeOf({ record, ...view }, opened));
  }
  const generation = record.accountKeyGeneration + 1;
  const accountKey = deps.random.bytes(32);
  try {
    const made = await protect({ ...keyContextOf(record), generation }, accountKey, input, record, deps);
    const keys = keepOlderKeys(opened.value, record, { accountKey, generation }, atRest, deps.random);
    const now = deps.clock.now();
    const dataKeyGenerations = takeOverGenerations(opened.value, record, { accountKey, generation }, now, {
      atRest,
      random: deps.random,
    });
    return {
      ...made,
      olderAccountKeys: { phase: 'moving', since: Math.max(now, (older?.since ?? 0) + 1), keys },
      ...defined({ dataKeyGenerations }),
    };
  } finally {
    wipeAccountKey(opened.value);
    wipeAccountKey(accountKey);
  }
}

/** An account key under the key of the input. Nothing is stored. */
export async function protect(
  context: KeyContext,
  accountKey: Bytes,
  input: EncryptionInput,
  account: Owned,
  deps: AccountsDeps,
): Promise<Protected> {
  const accountKeyGeneration = context.generation;
  if (input.type === 'SystemKey') {
    const wrappedAccountKey = await wrapBySystemKey(context, accountKey, deps);
    const proof = { at: deps.clock.now() };
    return { encryption: input, wrappedAccountKey, accountKeyGeneration, proof, facts: {} };
  }
  const { identifier, binding, description, refusedBy } = await acceptCustomerKey(input, account, deps);
  const proven = await wrapByCustomerKey(context, accountKey, binding, description, deps);
  if (!proven.ok) throw refusedBy(proven);
  const { version } = description;
  const follows = identifier.version === undefined;
  const isNewest = follows && input.version === undefined;
  return {
    encryption: { type: 'CustomerKey', keyIdentifier: identifier.text, follows, version, binding, reconciledEpoch: 0 },
    wrappedAccountKey: proven.value.wrappedAccountKey,
    accountKeyGeneration,
    proof: {
      at: proven.value.at,
      // Without a version in the input, the description is that of the newest.
      ...defined({ principal: proven.observed.principal, newest: isNewest ? description : undefined }),
    },
    facts: requestIdOf(proven.value),
  };
}

/** The same account key under the same key, encrypted with the current rings. */
export async function resealAccountKey(
  context: KeyContext,
  accountKey: Bytes,
  encryption: Encryption,
  deps: AccountsDeps,
): Promise<string> {
  if (encryption.type === 'SystemKey') return wrapBySystemKey(context, accountKey, deps);
  const { binding, version } = encryption;
  const described = await deps.keyVault.describe(binding, version);
  if (!described.ok) throw keyFailure(described.cause, binding, described.observed);
  const proven = await wrapByCustomerKey(context, accountKey, binding, described.value, deps);
  if (!proven.ok) throw keyFailure(proven.cause, binding, proven.observed);
  return proven.value.wrappedAccountKey;
}

const requestIdOf = (proven: Proven): Pick<AuditFacts, 'keyVaultRequestId'> =>
  proven.observed.requestId === undefined ? {} : { keyVaultRequestId: proven.observed.requestId };
