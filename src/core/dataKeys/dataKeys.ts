/**
 * Data keys: AES keys for the service's own data. Keyward generates or receives them, returns them wrapped, and stores
 * none. Each call uses the account's lease once, for any number of keys. A key that does not unwrap does not stop the
 * others.
 */
import type { AccountView } from '../accounts/account.ts';
import type { KnownAccount, LeaseTerm } from '../accounts/processState.ts';
import { serveAccount } from '../accounts/serveAccount.ts';
import type { Actor } from '../audit/auditFacts.ts';
import { type Bytes, wipe } from '../base/bytes.ts';
import type { ErrorCode } from '../base/errors.ts';
import type { DataKeyOperation } from '../base/vocabulary.ts';
import { KeyMaterialMismatch } from '../crypto/accountKeyEnvelope.ts';
import { noncesLength, parseWrappedDataKey, unwrapDataKey, wrapDataKey } from '../crypto/dataKeyEnvelope.ts';
import { auditDataKeys } from './dataKeyAudit.ts';
import type { DataKeysDeps } from './deps.ts';
import { noteSeen } from './lastSeen.ts';
import { type MaterialOf, withMaterial, withNewestGeneration } from './openGenerations.ts';

export const maxDataKeys = 100;

export interface DataKeyCall {
  readonly account: string;
  readonly actor: Actor;
  /** The account, when the caller has already started to read it. */
  readonly known?: Promise<KnownAccount>;
}

/** The result for one key of a call. */
export interface DataKeyItem {
  /** The caller wipes it. */
  readonly plain?: Bytes;
  readonly wrapped?: Bytes;
  /** The generation of the wrapped form: of the received one, or of the new one. */
  readonly generation?: number;
  /** The generation of a received wrapped form that opened. */
  readonly seen?: number;
  readonly failure?: ItemFailure;
}

export interface ItemFailure {
  readonly code: ErrorCode;
  readonly message: string;
  /** The invalid field. */
  readonly target?: string;
}

export interface DataKeysAnswer {
  readonly items: readonly DataKeyItem[];
  readonly view: AccountView;
  readonly term: LeaseTerm;
}

/** Bytes that a caller wraps, or has wrapped, with the hash of their context. */
export interface BoundBytes {
  readonly bytes: Bytes;
  readonly contextHash: Bytes;
}

/** One received key of a batch. A failure keeps its position among the results. */
export type GivenKey = BoundBytes | { readonly failure: ItemFailure };

/** Generates keys under one context. @throws Refusal AccountNotFound | CustomerKeyInaccessible @throws Unavailable */
export function generateDataKeys(
  input: { readonly count: number; readonly length: number; readonly contextHash: Bytes; readonly isPlain: boolean },
  call: DataKeyCall,
  deps: DataKeysDeps,
): Promise<DataKeysAnswer> {
  const { count, length, contextHash, isPlain } = input;
  const operation = isPlain ? 'generate' : 'generateWithoutPlaintext';
  return run(operation, Array(count).fill(contextHash), call, deps, (view, materialOf) => {
    const seal = wrapper(view, materialOf, deps);
    return Array.from({ length: count }, () => {
      const plain = deps.random.bytes(length);
      const item = seal({ bytes: plain, contextHash });
      if (isPlain) return { ...item, plain };
      wipe(plain);
      return item;
    });
  });
}

/**
 * Wraps the caller's own keys; the caller wipes them. @throws Refusal AccountNotFound | CustomerKeyInaccessible @throws
 * Unavailable
 */
export function wrapDataKeys(
  keys: readonly GivenKey[],
  call: DataKeyCall,
  deps: DataKeysDeps,
): Promise<DataKeysAnswer> {
  return run('wrap', contextsOf(keys), call, deps, (view, materialOf) =>
    keys.map(unlessFailed(wrapper(view, materialOf, deps))),
  );
}

/** @throws Refusal AccountNotFound | CustomerKeyInaccessible @throws Unavailable */
export function unwrapDataKeys(
  keys: readonly GivenKey[],
  call: DataKeyCall,
  deps: DataKeysDeps,
): Promise<DataKeysAnswer> {
  return run('unwrap', contextsOf(keys), call, deps, (view, materialOf) =>
    keys.map(unlessFailed((key) => unwrapOne(key, view, materialOf))),
  );
}

/**
 * The same keys under the newest generation, without returning plaintext. @throws Refusal AccountNotFound |
 * CustomerKeyInaccessible @throws Unavailable
 */
export function rewrapDataKeys(
  keys: readonly GivenKey[],
  call: DataKeyCall,
  deps: DataKeysDeps,
): Promise<DataKeysAnswer> {
  return run('rewrap', contextsOf(keys), call, deps, (view, materialOf) => {
    const seal = wrapper(view, materialOf, deps);
    const rewrapOne = ({ bytes, contextHash }: BoundBytes): DataKeyItem => {
      const { plain, ...opened } = unwrapOne({ bytes, contextHash }, view, materialOf);
      if (plain === undefined) return opened;
      const item = seal({ bytes: plain, contextHash });
      wipe(plain);
      return { ...opened, ...item };
    };
    return keys.map(unlessFailed(rewrapOne));
  });
}

const unlessFailed =
  (work: (key: BoundBytes) => DataKeyItem) =>
  (key: GivenKey): DataKeyItem =>
    'failure' in key ? key : work(key);

const contextsOf = (keys: readonly GivenKey[]): Bytes[] =>
  keys.flatMap((key) => ('failure' in key ? [] : [key.contextHash]));

/** The steps of every call: gate, lease, work, audit. */
async function run(
  operation: DataKeyOperation,
  contexts: readonly Bytes[],
  { account, actor, known }: DataKeyCall,
  deps: DataKeysDeps,
  work: (view: AccountView, materialOf: MaterialOf) => DataKeyItem[],
): Promise<DataKeysAnswer> {
  const attempt = async (served: Promise<AccountView>): Promise<DataKeysAnswer> => {
    const view = operation === 'unwrap' ? await served : await withNewestGeneration(await served, deps);
    const { value: items, term } = await withMaterial(view, deps, (materialOf) => work(view, materialOf));
    return { items, view, term };
  };
  const isWhole = ({ items }: DataKeysAnswer) => items.every(({ failure }) => failure === undefined);
  const answer = await serveAccount<DataKeysAnswer>(account, known, { attempt, isWhole, discard: wipeItems }, deps);
  try {
    await auditDataKeys(answer.view, { operation, contexts }, actor, deps);
    await noteSeen(answer.view, new Set(answer.items.flatMap(({ seen }) => seen ?? [])), deps);
    return answer;
  } catch (error) {
    wipeItems(answer);
    throw error;
  }
}

/** Wipes the plain bytes of an answer that has left, or that does not leave. */
export const wipeItems = ({ items }: Pick<DataKeysAnswer, 'items'>): void => wipe(...items.map(({ plain }) => plain));

function wrapper({ record }: AccountView, materialOf: MaterialOf, { random }: Pick<DataKeysDeps, 'random'>) {
  const { instanceId, accountKeyGeneration: generation } = record;
  return ({ bytes, contextHash }: BoundBytes): DataKeyItem => {
    const material = materialOf(generation);
    if (material === undefined || material === 'destroyed')
      throw new KeyMaterialMismatch(`The account wraps no data keys under generation ${generation}.`);
    const nonces = random.bytes(noncesLength);
    return { wrapped: wrapDataKey(bytes, { instanceId, generation, contextHash }, material, nonces), generation };
  };
}

function unwrapOne({ bytes, contextHash }: BoundBytes, { record }: AccountView, materialOf: MaterialOf): DataKeyItem {
  try {
    const { instanceId, generation } = parseWrappedDataKey(bytes);
    const material = instanceId === record.instanceId ? materialOf(generation) : undefined;
    if (material === 'destroyed') return { generation, failure: destroyed(generation) };
    if (material === undefined) return { failure: notAuthentic };
    return {
      plain: unwrapDataKey(bytes, { instanceId, generation, contextHash }, material),
      generation,
      seen: generation,
    };
  } catch (error) {
    if (error instanceof KeyMaterialMismatch) return { failure: notAuthentic };
    throw error;
  }
}

const notAuthentic = {
  code: 'DataKeyNotAuthentic',
  message:
    'The wrapped data key does not open: it was edited or cut, belongs to another account or to an earlier account of this name, or was wrapped under another encryption context.',
} as const;

const destroyed = (generation: number) =>
  ({
    code: 'DataKeyGenerationDestroyed',
    message: `The operator has destroyed generation ${generation} of the account key for data keys. Keys that it wrapped cannot be unwrapped any more.`,
  }) as const;
