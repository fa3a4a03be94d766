/**
 * The calls on data keys, one function each. Every answer with plaintext has a key status, and is only returned
 * together with it.
 */
import { randomBytes } from 'node:crypto';
import type { EncryptionContext } from './encryptionContext.ts';
import { DataKeyError, KeyStatusError } from './errors.ts';
import { type KeyOf, type KeyStatus, verifyKeyStatus } from './keyStatus.ts';
import { inSpan } from './telemetry.ts';
import type { Moment } from './tenure.ts';
import type { Answer, Send } from './transport.ts';

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  /** For work in the background: one attempt, no waiting. */
  readonly isSingleTry?: boolean;
}

/** The time that a status allows counts from `sent`. */
export interface Attested {
  readonly status: KeyStatus;
  readonly sent: Moment;
}

export interface PlainDataKey {
  /** The caller wipes it at the latest when the key status ends. */
  readonly plaintext: Uint8Array;
  readonly wrapped: string;
}

export interface WrappedDataKey {
  readonly wrapped: string;
  readonly context?: EncryptionContext;
}

/** One result of a batch: the value, or the reason of the failure. A failure does not stop the others. */
export type Item<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: DataKeyError };

export interface DataKeyApi {
  /** `length`: bytes, 16 or 32. At most 100 keys at once. */
  generate(
    account: string,
    input: { readonly count?: number; readonly length?: 16 | 32; readonly context?: EncryptionContext },
    options?: CallOptions,
  ): Promise<Attested & { readonly keys: readonly PlainDataKey[] }>;
  /** Wraps the caller's own data keys of 16 or 32 bytes; at most 100 at once. */
  wrap(
    account: string,
    keys: readonly { readonly plaintext: Uint8Array; readonly context?: EncryptionContext }[],
    options?: CallOptions,
  ): Promise<readonly Item<string>[]>;
  /** At most 100 at once. */
  unwrap(
    account: string,
    keys: readonly WrappedDataKey[],
    options?: CallOptions,
  ): Promise<Attested & { readonly keys: readonly Item<Uint8Array>[] }>;
  /**
   * The same data keys under the newest generation of the account key. Keyward returns no plaintext. At most 100 at
   * once.
   */
  rewrap(account: string, keys: readonly WrappedDataKey[], options?: CallOptions): Promise<readonly Item<string>[]>;
  /** A new status; undefined: the status with this ETag is still the newest. */
  keyStatus(
    account: string,
    etag?: string,
    options?: CallOptions,
  ): Promise<(Attested & { readonly etag: string | undefined }) | undefined>;
}

export function createDataKeyApi(send: Send, keyOf: KeyOf): DataKeyApi {
  async function post(
    account: string,
    operation: string,
    body: object,
    count: number,
    options: CallOptions,
    nonce?: string,
  ) {
    const path = `/api/accounts/${encodeURIComponent(account)}/dataKeys/${operation}`;
    const headers = nonce === undefined ? {} : { headers: { [nonceHeader]: nonce } };
    const request = { method: 'POST', path, body, ...headers, ...options } as const;
    return inSpan(operation, { 'keyward.account': account, 'keyward.count': count }, () => send(request));
  }

  /** Wipes the keys of an answer whose status does not verify. */
  async function attested(account: string, nonce: string, { body, sent }: Answer, plain: readonly Uint8Array[] = []) {
    try {
      const expected = { account: account.toLowerCase(), nonce };
      return { status: await verifyKeyStatus((body as Body | undefined)?.keyStatus, expected, keyOf), sent };
    } catch (error) {
      for (const one of plain) one.fill(0);
      throw error;
    }
  }

  return {
    async generate(account, { count = 1, length = 32, context = {} }, options = {}) {
      const nonce = newNonce();
      const answer = await post(account, 'generate', { count, length, context }, count, options, nonce);
      const keys = itemsOf(answer, count).map((one) => ({
        plaintext: bytesOf(one.plaintext),
        wrapped: textOf(one.wrapped),
      }));
      return {
        ...(await attested(
          account,
          nonce,
          answer,
          keys.map(({ plaintext }) => plaintext),
        )),
        keys,
      };
    },
    async wrap(account, keys, options = {}) {
      const value = keys.map(({ plaintext, ...rest }) => ({
        plaintext: Buffer.from(plaintext).toString('base64'),
        ...rest,
      }));
      const answer = await post(account, 'wrap', { value }, keys.length, options);
      return itemsOf(answer, keys.length).map((one) => itemOf(one, () => textOf(one.wrapped)));
    },
    async unwrap(account, keys, options = {}) {
      const nonce = newNonce();
      const answer = await post(account, 'unwrap', { value: keys }, keys.length, options, nonce);
      const items = itemsOf(answer, keys.length).map((one) => itemOf(one, () => bytesOf(one.plaintext)));
      const plain = items.flatMap((item) => (item.ok ? [item.value] : []));
      return { ...(await attested(account, nonce, answer, plain)), keys: items };
    },
    async rewrap(account, keys, options = {}) {
      const answer = await post(account, 'rewrap', { value: keys }, keys.length, options);
      return itemsOf(answer, keys.length).map((one) => itemOf(one, () => textOf(one.wrapped)));
    },
    async keyStatus(account, etag, options = {}) {
      const nonce = newNonce();
      const headers = { [nonceHeader]: nonce, ...(etag === undefined ? {} : { 'if-none-match': etag }) };
      const path = `/api/accounts/${encodeURIComponent(account)}/keyStatus`;
      const request = { method: 'GET', path, headers, ...options } as const;
      const answer = await inSpan('keyStatus', { 'keyward.account': account }, () => send(request));
      if (answer.status === 304) return undefined;
      return { ...(await attested(account, nonce, answer)), etag: answer.etag };
    },
  };
}

const nonceHeader = 'x-keyward-nonce';
const newNonce = (): string => randomBytes(16).toString('base64url');

interface ItemBody {
  readonly plaintext?: unknown;
  readonly wrapped?: unknown;
  readonly error?: { readonly code?: unknown; readonly message?: unknown };
}

interface Body {
  readonly value?: unknown;
  readonly keyStatus?: unknown;
}

/** @throws KeyStatusError when the answer does not have Keyward's form */
function itemsOf({ body }: Answer, count: number): readonly ItemBody[] {
  const value = (body as Body | undefined)?.value;
  if (Array.isArray(value) && value.length === count && value.every((one) => typeof one === 'object' && one !== null))
    return value;
  throw unexpected();
}

function itemOf<T>({ error }: ItemBody, value: () => T): Item<T> {
  if (error === undefined) return { ok: true, value: value() };
  return { ok: false, error: new DataKeyError(textOf(error.code), textOf(error.message)) };
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  throw unexpected();
}

const bytesOf = (value: unknown): Uint8Array => {
  const decoded = Buffer.from(textOf(value), 'base64');
  // Copied out of the pool that small buffers share, so that the whole buffer can be wiped and nothing else can read
  // it.
  const own = Uint8Array.from(decoded);
  decoded.fill(0);
  return own;
};

const unexpected = (): KeyStatusError => new KeyStatusError('The answer is not of the form that Keyward gives.');
