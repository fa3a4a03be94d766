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
export async function changeKey(
  current: AccountView,
  input: EncryptionInput,
  service: AccountsDeps,
): Promise<Protected> {
  const { record } = current;
  if (record.encryption.type === 'SystemKey') return renewAccountKey(current, input, service);
  const opened = await openAccountKey(record, service);
  if (!opened.ok) {
    await requestLookAfter(opened.cause, record, service);
    throw keyUnreachable(current, causeOf(current, opened));
  }
  try {
    return await protect(keyContextOf(record), opened.value, input, record, service);
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
  service: AccountsDeps,
): Promise<Protected> {
  const kept = record.olderAccountKeys;
  if ((kept?.keys.length ?? 0) >= maxOlderKeys)
    throw new Refusal(
      'Conflict',
      `Secrets are still under ${maxOlderKeys} earlier account keys, which is the limit. Retry when the account has no olderAccountKeys. After an hour, the reason is rows that do not open: the account's SecretIntegrityFailed entries and the log name them.`,
    );
  refuseTooManyGenerations(record);
  const { atRest } = await service.rings();
  const opened = await openAccountKey(record, service);
  if (!opened.ok) {
    await requestLookAfter(opened.cause, record, service);
    throw keyUnreachable({ record, ...view }, causeOf({ record, ...view }, opened));
  }
  const generation = record.accountKeyGeneration + 1;
  const accountKey = service.random.bytes(32);
  try {
    const made = await protect({ ...keyContextOf(record), generation }, accountKey, input, record, service);
    const keys = keepOlderKeys(opened.value, record, { accountKey, generation }, atRest, service.random);
    const now = service.clock.now();
    const tools = { atRest, random: service.random };
    const dataKeyGenerations = takeOverGenerations(opened.value, record, { accountKey, generation }, now, tools);
    return {
      ...made,
      olderAccountKeys: { phase: 'moving', since: Math.max(now, (kept?.since ?? 0) + 1), keys },
      ...defined({ dataKeyGenerations }),
    };
  } finally {
    wipeAccountKey(opened.value);
    wipeAccountKey(accountKey);
  }
}

/** An account key under the key of the input. Nothing is stored. */
export async function protect(
  place: KeyContext,
  accountKey: Bytes,
  input: EncryptionInput,
  account: Owned,
  service: AccountsDeps,
): Promise<Protected> {
  const accountKeyGeneration = place.generation;
  if (input.type === 'SystemKey') {
    const wrappedAccountKey = await wrapBySystemKey(place, accountKey, service);
    const proof = { at: service.clock.now() };
    return { encryption: input, wrappedAccountKey, accountKeyGeneration, proof, facts: {} };
  }
  const { identifier, binding, description, refusedBy } = await acceptCustomerKey(input, account, service);
  const proven = await wrapByCustomerKey(place, accountKey, binding, description, service);
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
  place: KeyContext,
  accountKey: Bytes,
  encryption: Encryption,
  service: AccountsDeps,
): Promise<string> {
  if (encryption.type === 'SystemKey') return wrapBySystemKey(place, accountKey, service);
  const { binding, version } = encryption;
  const described = await service.keyVault.describe(binding, version);
  if (!described.ok) throw keyFailure(described.cause, binding, described.observed);
  const proven = await wrapByCustomerKey(place, accountKey, binding, described.value, service);
  if (!proven.ok) throw keyFailure(proven.cause, binding, proven.observed);
  return proven.value.wrappedAccountKey;
}

const requestIdOf = (proven: Proven): Pick<AuditFacts, 'keyVaultRequestId'> =>
  proven.observed.requestId === undefined ? {} : { keyVaultRequestId: proven.observed.requestId };
