/** The calls on data keys of an account. */
import type { HttpResponseInit } from '@azure/functions';
import type * as z from 'zod';
import { base64, wipe } from '../../../core/base/bytes.ts';
import { defined } from '../../../core/base/defined.ts';
import { Refusal } from '../../../core/base/errors.ts';
import { parseAccountName } from '../../../core/base/names.ts';
import { dataKeyLengths } from '../../../core/crypto/dataKeyEnvelope.ts';
import {
  type BoundBytes,
  type DataKeyCall,
  type DataKeyItem,
  type DataKeysAnswer,
  generateDataKeys,
  rewrapDataKeys,
  unwrapDataKeys,
  wipeItems,
  wrapDataKeys,
} from '../../../core/dataKeys/dataKeys.ts';
import { contextHashOf } from '../../../core/dataKeys/encryptionContext.ts';
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
  const keys: BoundBytes[] = [];
  try {
    for (const [n, { plaintext, context = {} }] of value.entries())
      keys.push({ bytes: plainKeyIn(plaintext, n), contextHash: contextHashOf(context, `value.${n}.context`) });
    const answer = await wrapDataKeys(keys, callOf(call), call.service);
    return await respond(call, answer, false, ({ wrapped }) =>
      wrapped === undefined ? {} : { wrapped: base64(wrapped) },
    );
  } finally {
    wipe(...keys.map(({ bytes }) => bytes));
  }
};

/** @throws Refusal InvalidRequestContent */
function plainKeyIn(text: string, n: number) {
  const target = `value.${n}.plaintext`;
  const key = parseBase64(text, target);
  if (dataKeyLengths.includes(key.byteLength)) return key;
  wipe(key);
  throw new Refusal('InvalidRequestContent', `A data key must have ${dataKeyLengths.join(' or ')} bytes.`, { target });
}

function wrappedKeysIn({ value }: z.infer<typeof wrappedBody>): BoundBytes[] {
  return value.map(({ wrapped, context = {} }, n) => ({
    bytes: parseBase64(wrapped, `value.${n}.wrapped`),
    contextHash: contextHashOf(context, `value.${n}.context`),
  }));
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
