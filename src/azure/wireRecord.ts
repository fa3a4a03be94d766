/** The record of a Key Vault call: what the transport has seen of its exchanges, also when the SDK throws. */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { Principal } from '../core/customerKey/ports.ts';
import { clientAddressIn, principalInRefusal } from './callerPrincipal.ts';
import type { PipelineResponse } from './sdk/http.ts';

/** The record of one call: status and words of closed lists, never bodies or headers with secrets. */
export interface WireRecord {
  status?: number;
  code?: string;
  innerCode?: string;
  networkCode?: string;
  timedOut?: boolean;
  /** A token was requested and has not arrived. */
  awaitsToken?: boolean;
  /** Set by the credential: the error's class, and Entra's AADSTS number when it has one. */
  credentialError?: { readonly name: string; readonly aadsts?: string };
  requestId?: string;
  region?: string;
  retryAfterSeconds?: number;
  /** The principal of the call. Absent where neither the token nor the answer names it. */
  principal?: Principal;
  /** The address of the call, as a refusal of the firewall names it. */
  clientAddress?: string;
  /** The name does not resolve here, and public DNS shows that it does not exist. Set by keyVault.ts. */
  isNameGone?: true;
  /** Where a 401 names an AKV error. */
  akv?: string;
  /** The refusal names a network security perimeter. Its inner code is that of the firewall. */
  perimeter?: true;
}

/**
 * A call and its record. The SDK renews a token in parallel to a call with the present, still valid token. The result
 * of that renewal says nothing about the call.
 */
export interface Call {
  readonly wire: WireRecord;
  bearsToken: boolean;
  /** The vault's last challenge in this call. It is remembered when it has led to a token. */
  challenge?: string;
  /** The parsed body of the last answer. It can hold key material, so it is never part of the record. */
  body?: unknown;
}

const recording = new AsyncLocalStorage<Call>();
export const currentCall = (): Call => recording.getStore() ?? { wire: {}, bearsToken: false };

export interface Recorded<T> {
  readonly wire: WireRecord;
  /** The body of the last answer. */
  readonly body?: unknown;
  /** Absent: the call threw. */
  readonly result?: T;
  readonly error?: unknown;
}

/** Runs one SDK call and returns its record, also when the call throws. */
export async function recorded<T>(send: () => Promise<T>): Promise<Recorded<T>> {
  const call: Call = { wire: {}, bearsToken: false };
  try {
    const result = await recording.run(call, send);
    return { wire: call.wire, body: call.body, result };
  } catch (error) {
    return { wire: call.wire, error };
  }
}

/**
 * Requests a token. A call that times out before the token arrives was waiting for Keyward's identity, not for the
 * vault.
 */
export async function awaitingToken<T>(ask: () => Promise<T>): Promise<T> {
  const call = currentCall();
  if (!call.bearsToken) call.wire.awaitsToken = true;
  const token = await ask();
  delete call.wire.awaitsToken;
  return token;
}

export function recordCredentialError(error: WireRecord['credentialError'] & object): void {
  const call = currentCall();
  if (!call.bearsToken) call.wire.credentialError = error;
}

/** From here on the vault decides, until it requests another token. */
export function setBearsToken(call: Call, bearsToken: boolean): void {
  call.bearsToken = bearsToken;
  if (!bearsToken) return;
  delete call.wire.awaitsToken;
  delete call.wire.credentialError;
}

/** The longest wait that a vault can ask for: re-wraps and callers would wait as long. */
const maxRetryAfterSeconds = 60;

export function readInto(wire: WireRecord, { status, headers }: PipelineResponse, body: unknown): void {
  wire.status = status;
  set(wire, 'requestId', matching(/^[\w-]{1,64}$/, headers.get('x-ms-request-id')));
  set(wire, 'region', matching(/^[a-z0-9]{1,64}$/i, headers.get('x-ms-keyvault-region')));
  const retryAfter = Math.min(maxRetryAfterSeconds, Number(headers.get('retry-after')));
  set(wire, 'retryAfterSeconds', retryAfter > 0 ? retryAfter : undefined);
  const { code, message, innererror, innerError } = fieldsOf(fieldsOf(body).error);
  const text = typeof message === 'string' ? message : '';
  set(wire, 'code', word(code));
  set(wire, 'innerCode', word(fieldsOf(innererror ?? innerError).code));
  set(wire, 'perimeter', /not allowed by NSP rules/i.test(text) ? true : undefined);
  set(wire, 'akv', /AKV\d{5}/.exec(text)?.[0]);
  set(wire, 'principal', wire.principal ?? principalInRefusal(text));
  set(wire, 'clientAddress', clientAddressIn(text));
}

export function set<T, K extends keyof T>(of: T, field: K, value: T[K] | undefined): void {
  if (value === undefined) delete of[field];
  else of[field] = value;
}

/** A body can be empty, HTML, or any text. */
export function parsed(text: string | null | undefined): unknown {
  try {
    return JSON.parse(text ?? '');
  } catch {
    return undefined;
  }
}

const fieldsOf = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};

const matching = (form: RegExp, value: unknown): string | undefined =>
  typeof value === 'string' && form.test(value) ? value : undefined;

/** A code is one word. Any other text comes from another party and stays out of records and logs. */
const word = (value: unknown): string | undefined => matching(/^[A-Za-z]{1,64}$/, value);
