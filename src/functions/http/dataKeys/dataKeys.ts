/** The calls on data keys of an account. */
import type { HttpResponseInit } from '@azure/functions';
import type * as z from 'zod';
import { type Bytes, base64, wipe } from '../../../core/base/bytes.ts';
import { defined } from '../../../core/base/defined.ts';
import { Refusal } from '../../../core/base/errors.ts';
import { parseAccountName } from '../../../core/base/names.ts';
import { dataKeyLengths } from '../../../core/crypto/dataKeyEnvelope.ts';
import {
  type DataKeyCall,
  type DataKeyItem,
  type DataKeysAnswer,
  type GivenKey,
  generateDataKeys,
  rewrapDataKeys,
  unwrapDataKeys,
  wipeItems,
  wrapDataKeys,
} from '../../../core/dataKeys/dataKeys.ts';
import { contextHashOf, type EncryptionContext } from '../../../core/dataKeys/encryptionContext.ts';
import { signKeyStatus } from '../../../core/dataKeys/keyStatus.ts';
import { parseBase64 } from '../../../core/secrets/secretValues.ts';
import type { Call, RouteHandler } from '../../pipeline/call.ts';
import { parsed, readJson } from '../../pipeline/requestBody.ts';
import type { Route } from '../../pipeline/route.ts';
import { dataKeyContracts, generateBody, wrapBody, wrappedBody } from './dataKeyContract.ts';
import { nonceIn, refusedWithStatus } from './keyStatus.ts';

/** A hundred keys with the longest possible contexts are smaller than this. */
const maxBodyBytes = 1024 * 1024;

const callOf = ({ request, actor, known }: Call): DataKeyCall => ({
  account: parseAccountName(request.params.accountName ?? ''),
  actor,
  ...defined({ known }),
});

const generate =
  (isPlain: boolean): RouteHandler =>
  async (call) => {
    const { count = 1, length = 32, context = {} } = parsed(generateBody, await readJson(call.request, maxBodyBytes));
    const input = { count, length, contextHash: contextHashOf(context), isPlain };
    const answer = await generateDataKeys(input, callOf(call), call.service);
    return respond(call, answer, isPlain, ({ plain, wrapped }) => ({
      ...(plain === undefined ? {} : { plaintext: base64(plain) }),
      ...(wrapped === undefined ? {} : { wrapped: base64(wrapped) }),
    }));
  };

const wrap: RouteHandler = async (call) => {
  const { value } = parsed(wrapBody, await readJson(call.request, maxBodyBytes));
  const keys = value.map(({ plaintext, context }, n) => given(plaintext, context, n, plainKeyIn));
  try {
    const answer = await wrapDataKeys(keys, callOf(call), call.service);
    return await respond(call, answer, false, ({ wrapped, ...item }) =>
      wrapped === undefined ? failureOf(item) : { wrapped: base64(wrapped) },
    );
  } finally {
    wipe(...keys.flatMap((key) => ('failure' in key ? [] : [key.bytes])));
  }
};

/** @throws Refusal InvalidRequestContent */
function plainKeyIn(text: string, n: number): Bytes {
  const target = `value.${n}.plaintext`;
  const key = parseBase64(text, target);
  if (dataKeyLengths.includes(key.byteLength)) return key;
  wipe(key);
  throw new Refusal('InvalidRequestContent', `A data key must have ${dataKeyLengths.join(' or ')} bytes.`, { target });
}

const wrappedKeysIn = ({ value }: z.infer<typeof wrappedBody>): GivenKey[] =>
  value.map(({ wrapped, context }, n) => given(wrapped, context, n, (text) => parseBase64(text, `value.${n}.wrapped`)));

/** A key that cannot be read fails alone: the other keys of the call are served. */
function given(
  text: string,
  context: EncryptionContext = {},
  n: number,
  bytesIn: (text: string, n: number) => Bytes,
): GivenKey {
  try {
    const contextHash = contextHashOf(context, `value.${n}.context`);
    return { bytes: bytesIn(text, n), contextHash };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const { code, message, extras } = error;
    return { failure: { code, message, ...defined({ target: extras.target }) } };
  }
}

const unwrap: RouteHandler = async (call) => {
  const keys = wrappedKeysIn(parsed(wrappedBody, await readJson(call.request, maxBodyBytes)));
  const answer = await unwrapDataKeys(keys, callOf(call), call.service);
  return respond(call, answer, true, ({ plain, ...item }) =>
    plain === undefined ? failureOf(item) : { plaintext: base64(plain), accountKeyGeneration: item.generation },
  );
};

const rewrap: RouteHandler = async (call) => {
  const keys = wrappedKeysIn(parsed(wrappedBody, await readJson(call.request, maxBodyBytes)));
  const answer = await rewrapDataKeys(keys, callOf(call), call.service);
  return respond(call, answer, false, ({ wrapped, ...item }) =>
    wrapped === undefined ? failureOf(item) : { wrapped: base64(wrapped), accountKeyGeneration: item.generation },
  );
};

const failureOf = ({ failure }: DataKeyItem) => ({ error: failure });

/** Adds a key status where the answer contains plaintext. Wipes the plain bytes. */
async function respond(
  { request, service }: Call,
  answer: DataKeysAnswer,
  isPlain: boolean,
  render: (item: DataKeyItem) => object,
): Promise<HttpResponseInit> {
  const { items, view, term } = answer;
  try {
    const status = isPlain ? { keyStatus: await signKeyStatus(view, term, nonceIn(request), service) } : {};
    const { accountKeyGeneration } = view.record;
    const jsonBody = { value: items.map(render), accountKeyGeneration, ...status };
    return { status: 200, headers: { 'Cache-Control': 'no-store' }, jsonBody };
  } finally {
    wipeItems(answer);
  }
}

const handlers = {
  generate: generate(true),
  generateWithoutPlaintext: generate(false),
  wrap,
  unwrap,
  rewrap,
} as const satisfies Record<keyof typeof dataKeyContracts, RouteHandler>;

const capital = (word: string): string => word.slice(0, 1).toUpperCase() + word.slice(1);

export const dataKeyRoutes: readonly Route[] = (Object.keys(handlers) as (keyof typeof handlers)[]).map(
  (operation): Route => ({
    name: `dataKeys${capital(operation)}`,
    method: 'POST',
    path: `accounts/{accountName}/dataKeys/${operation}`,
    scope: 'account',
    role: 'DataKeys.Use',
    gate: 'beside',
    whenRefused: refusedWithStatus,
    contract: dataKeyContracts[operation],
    handler: handlers[operation],
  }),
);
