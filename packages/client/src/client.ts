/**
 * Encrypts and decrypts a service's own data under the customer-managed keys of its accounts. Keyward returns the data
 * keys. The client caches them as long as the signed key status permits, and wipes them when it ends. So the bound that
 * Keyward publishes also holds in this process.
 */
import { randomFillSync } from 'node:crypto';
import type { KeyCredential, TokenCredential } from '@azure/core-auth';
import { type AccountKeys, createAccountKeys } from './accountKeys.ts';
import { createDataKeyApi, type DataKeyApi } from './dataKeyApi.ts';
import { contextHash, type EncryptionContext } from './encryptionContext.ts';
import { MessageError } from './errors.ts';
import { messageKeyContext, prefixLength } from './message.ts';
import { createStatusKeys } from './statusKeys.ts';
import { decryptingStream, encryptingStream } from './streams.ts';
import { type Clock, systemClock } from './tenure.ts';
import { createTransport } from './transport.ts';
import { headerOf, openMessage, sealMessage, withWrappedKey } from './wholeMessage.ts';

export interface KeywardClientOptions {
  /** Of the token: `api://<client id of Keyward's application>/.default`. Default: that of the embedded stack. */
  readonly scope?: string;
  /** Seconds that one call to Keyward may take, with all retries. Default: 30. */
  readonly deadlineSeconds?: number;
  readonly fetch?: typeof fetch;
  readonly clock?: Clock;
}

export interface UseOptions {
  readonly signal?: AbortSignal;
}

const noContext: EncryptionContext = {};

export class KeywardClient {
  /** The calls on data keys, for services with their own format. The caller wipes the returned plaintext. */
  readonly dataKeys: DataKeyApi;
  readonly #accounts = new Map<string, AccountKeys>();
  readonly #clock: Clock;

  /**
   * `endpoint`: `https://<host of Keyward>`; http is accepted only for this machine. `credential`: a credential of
   * @azure/identity with the app role DataKeys.Use, or a function key when Keyward uses those.
   */
  constructor(endpoint: string, credential: TokenCredential | KeyCredential, options: KeywardClientOptions = {}) {
    const { scope = 'api://keyward/.default', deadlineSeconds = 30, clock = systemClock } = options;
    this.#clock = clock;
    const send = createTransport({
      endpoint: checkedEndpoint(endpoint),
      credential,
      scope,
      clock,
      deadlineMs: deadlineSeconds * 1000,
      fetch: options.fetch ?? globalThis.fetch,
    });
    this.dataKeys = createDataKeyApi(send, createStatusKeys(send, clock));
  }

  /**
   * Returns a message of ../FORMAT.md. The decryption needs the same `context`, which is not secret and not in the
   * message. @throws KeywardRefusal | KeywardUnavailable | KeyStatusError
   */
  encrypt(
    account: string,
    plaintext: Uint8Array,
    context?: EncryptionContext,
    options?: UseOptions,
  ): Promise<Uint8Array>;
  encrypt(
    account: string,
    plaintext: ReadableStream<Uint8Array>,
    context?: EncryptionContext,
    options?: UseOptions,
  ): Promise<ReadableStream<Uint8Array>>;
  async encrypt(
    account: string,
    plaintext: Uint8Array | ReadableStream<Uint8Array>,
    context = noContext,
    { signal }: UseOptions = {},
  ): Promise<Uint8Array | ReadableStream<Uint8Array>> {
    const bound = contextHash(context);
    const keys = this.#keysOf(account);
    const held = await keys.forEncryption(signal);
    if (plaintext instanceof Uint8Array) {
      held.bytes += plaintext.byteLength;
      return sealMessage(held.keys, held.wrappedBytes, newPrefix(), bound, plaintext);
    }
    const keysFor = async () => (held.isUsable() ? held : await keys.forDecryption(held.wrapped, signal)).keys;
    const counted = new TransformStream<Uint8Array, Uint8Array>({
      transform(piece, out) {
        held.bytes += piece.byteLength;
        out.enqueue(piece);
      },
    });
    const prefix = Uint8Array.from(newPrefix());
    return plaintext
      .pipeThrough(counted)
      .pipeThrough(encryptingStream(held.wrappedBytes, keysFor, prefix, bound), ending(signal));
  }

  /** @throws MessageError | DataKeyError | KeywardRefusal | KeywardUnavailable | KeyStatusError */
  decrypt(account: string, message: Uint8Array, context?: EncryptionContext, options?: UseOptions): Promise<Uint8Array>;
  decrypt(
    account: string,
    message: ReadableStream<Uint8Array>,
    context?: EncryptionContext,
    options?: UseOptions,
  ): Promise<ReadableStream<Uint8Array>>;
  async decrypt(
    account: string,
    message: Uint8Array | ReadableStream<Uint8Array>,
    context = noContext,
    { signal }: UseOptions = {},
  ): Promise<Uint8Array | ReadableStream<Uint8Array>> {
    const bound = contextHash(context);
    const keys = this.#keysOf(account);
    if (message instanceof Uint8Array) {
      const bytes = bufferOver(message);
      const header = headerOf(bytes);
      const held = await keys.forDecryption(header.wrapped.toString('base64'), signal);
      return openMessage(bytes, header, held.keys, bound);
    }
    const keysFor = async (wrapped: Uint8Array) =>
      (await keys.forDecryption(Buffer.from(wrapped).toString('base64'), signal)).keys;
    return message.pipeThrough(decryptingStream(keysFor, bound), ending(signal));
  }

  /**
   * The messages with their data keys wrapped under the newest generation of the account key. Their ciphertext does not
   * change, and no plaintext appears here. At most 100 at once. @throws MessageError | DataKeyError | KeywardRefusal |
   * KeywardUnavailable
   */
  async rewrap(account: string, messages: readonly Uint8Array[], options: UseOptions = {}): Promise<Uint8Array[]> {
    const parsed = messages.map((message) => ({ bytes: bufferOver(message), header: headerOf(bufferOver(message)) }));
    const keys = parsed.map(({ header }) => ({
      wrapped: header.wrapped.toString('base64'),
      context: messageKeyContext,
    }));
    const items = await this.dataKeys.rewrap(account, keys, options);
    return parsed.map(({ bytes, header }, n) => {
      const item = items[n];
      if (item?.ok !== true) throw item?.error ?? new MessageError('MessageMalformed', 'Keyward gave no key for it.');
      return withWrappedKey(bytes, header, Buffer.from(item.value, 'base64'));
    });
  }

  /**
   * Accepts events of Keyward (CloudEvents, one or several, as Event Grid or a webhook delivers them), and wipes the
   * keys of the named accounts before their key status ends. Returns the number of accounts. An event can only wipe
   * keys, so a forged one costs one request.
   */
  refuse(events: unknown): number {
    const all = Array.isArray(events) ? events : [events];
    const names = new Set(all.flatMap((event) => this.#concerned(event)));
    for (const name of names) this.#accounts.get(name)?.empty();
    return names.size;
  }

  /** Wipes the keys of every account. The client can be used afterwards. */
  close(): void {
    for (const keys of this.#accounts.values()) keys.empty();
    this.#accounts.clear();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #keysOf(account: string): AccountKeys {
    const name = account.toLowerCase();
    const known = this.#accounts.get(name);
    if (known !== undefined) return known;
    if (!accountNamePattern.test(account))
      throw new TypeError('An account name has 3 to 64 letters, digits and hyphens.');
    const keys = createAccountKeys(name, this.dataKeys, this.#clock);
    this.#accounts.set(name, keys);
    return keys;
  }

  /** The accounts that the event is about and that this client holds keys of. */
  #concerned(event: unknown): string[] {
    const { type, data } = (event ?? {}) as { type?: unknown; data?: Readonly<Record<string, unknown>> };
    const { accountName, chain, after } = data ?? {};
    if (type === 'Keyward.VerdictChanged' && after === 'Inaccessible')
      return [...this.#accounts].flatMap(([name, keys]) => (keys.binding === chain ? [name] : []));
    const name = typeof accountName === 'string' ? accountName.toLowerCase() : '';
    return emptyingTypes.has(String(type)) && this.#accounts.has(name) ? [name] : [];
  }
}

const emptyingTypes: ReadonlySet<string> = new Set([
  'Keyward.CustomerKeyInaccessible',
  'Keyward.AccountDeletionScheduled',
  'Keyward.AccountDeleted',
  'Keyward.AccountKeyChanged',
  'Keyward.AccountKeyRotated',
  'Keyward.DataKeyGenerationDestroyed',
]);

const accountNamePattern = /^[A-Za-z0-9][A-Za-z0-9-]{1,62}[A-Za-z0-9]$/;

/** @throws TypeError */
function checkedEndpoint(endpoint: string): string {
  const { protocol, hostname, origin } = new URL(endpoint);
  const isHere = ['localhost', '127.0.0.1', '[::1]'].includes(hostname);
  if (protocol === 'https:' || (protocol === 'http:' && isHere)) return origin;
  throw new TypeError(`The endpoint of Keyward begins with https://, and this is ${protocol}//.`);
}

const bufferOver = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

const ending = (signal: AbortSignal | undefined): { readonly signal?: AbortSignal } =>
  signal === undefined ? {} : { signal };

const random = Buffer.allocUnsafeSlow(512 * prefixLength);
let randomAt = random.length;

/**
 * Eight random bytes, valid in this turn. The process reads many at once, because one system call costs as much as a
 * message.
 */
function newPrefix(): Buffer {
  if (randomAt === random.length) {
    randomFillSync(random);
    randomAt = 0;
  }
  randomAt += prefixLength;
  return random.subarray(randomAt - prefixLength, randomAt);
}
