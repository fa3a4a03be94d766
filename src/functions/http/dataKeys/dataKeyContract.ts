/** The contracts of the calls on data keys and key statuses. */
import * as z from 'zod';
import { dataKeyLengths } from '../../../core/crypto/dataKeyEnvelope.ts';
import { maxDataKeys } from '../../../core/dataKeys/dataKeys.ts';
import {
  maxContextKeyLength,
  maxContextPairs,
  maxContextValueLength,
} from '../../../core/dataKeys/encryptionContext.ts';
import { count, time } from '../../pipeline/contractParts.ts';
import { errorDetail } from '../../pipeline/errorJson.ts';
import { orAbsent } from '../../pipeline/lenientInput.ts';
import type { AnswerHeader, Contract } from '../../pipeline/route.ts';

const [least, most] = dataKeyLengths;
const base64 = z.string().max(300).meta({ contentEncoding: 'base64' });
/** As long as a message of the client can hold: a key that does not unwrap fails its item, not the call. */
const wrappedInput = z.string().max(1368).meta({ contentEncoding: 'base64', description: 'As Keyward returned it.' });
const plaintext = base64.meta({ contentEncoding: 'base64', description: `A data key of ${least} or ${most} bytes.` });
const wrapped = base64.meta({
  contentEncoding: 'base64',
  description: 'Store it beside the data. Format: docs/envelope.md.',
});
const accountKeyGeneration = count.meta({ description: 'The newest generation of the account key.' });
const keyStatus = z.string().meta({
  description:
    'A JWS with Ed25519. The caller may use the plaintext of this answer until its `notAfter`. Format: docs/envelope.md.',
});

const context = orAbsent(
  z.record(z.string(), z.string()).meta({
    id: 'EncryptionContext',
    description: `Facts about the data that are not secret. The unwrap call must send the same ones. At most ${maxContextPairs} pairs; a key has 1 to ${maxContextKeyLength} bytes of UTF-8, a value at most ${maxContextValueLength}.`,
    examples: [{ table: 'patients' }],
  }),
);

const examples = {
  wrapped:
    'AQMPHi08S1pJeIaVpLPC0eD/AAAAAobVqmGkGwXs4xRCvL1WnWcUuPVo8yKbXQ9cUfc3o5b4tWSe0y2pUPOSnQpbV6e1cE9hH0mC3KpQm7k1Zc8oXwDpx2lYhQvVb0m3pP4=',
  plaintext: 'hJ5h5tHxPYp6JQ3dqYRz0hJ5h5tHxPYp6JQ3dqYRz0g=',
  keyStatus: 'eyJhbGciOiJFZERTQSJ9.eyJhY2NvdW50IjoiY29udG9zby1tZWRpYSJ9.c2lnbmF0dXJl',
  context: { table: 'patients' },
} as const;

export const generateBody = z
  .strictObject({
    count: orAbsent(z.int().min(1).max(maxDataKeys)).meta({ description: 'Absent: 1.' }),
    length: orAbsent(z.literal([16, 32])).meta({ description: 'The length of each key in bytes. Absent: 32.' }),
    context,
  })
  .meta({ id: 'DataKeysInput', examples: [{ count: 2, context: examples.context }] });

export const wrapBody = z
  .strictObject({ value: z.array(z.strictObject({ plaintext, context })).min(1).max(maxDataKeys) })
  .meta({
    id: 'PlainDataKeys',
    examples: [{ value: [{ plaintext: examples.plaintext, context: examples.context }] }],
  });

export const wrappedBody = z
  .strictObject({
    value: z
      .array(z.strictObject({ wrapped: wrappedInput, context }))
      .min(1)
      .max(maxDataKeys),
  })
  .meta({
    id: 'WrappedDataKeysInput',
    examples: [{ value: [{ wrapped: examples.wrapped, context: examples.context }] }],
  });

const failed = z.strictObject({ error: errorDetail });
const ofItem = count.meta({ description: 'The generation of the account key that wraps this key.' });

function answer(id: string, item: z.ZodType, example: object, more: z.ZodRawShape = {}, moreExample: object = {}) {
  return z.strictObject({ value: z.array(item).meta({ maxItems: maxDataKeys }), accountKeyGeneration, ...more }).meta({
    id,
    examples: [{ value: [example], accountKeyGeneration: 2, ...moreExample }],
  });
}

const status = [{ keyStatus }, { keyStatus: examples.keyStatus }] as const;
const wrappedItem = z.strictObject({ wrapped, accountKeyGeneration: ofItem });
const wrappedExample = { wrapped: examples.wrapped, accountKeyGeneration: 2 };
const plainItem = z.strictObject({ plaintext, accountKeyGeneration: ofItem });

const generated = answer(
  'GeneratedDataKeys',
  z.strictObject({ plaintext, wrapped }),
  { plaintext: examples.plaintext, wrapped: examples.wrapped },
  ...status,
);
const generatedWithout = answer('WrappedDataKeys', z.strictObject({ wrapped }), { wrapped: examples.wrapped });
const wrappedOwn = answer('WrappedOwnDataKeys', z.union([z.strictObject({ wrapped }), failed]), {
  wrapped: examples.wrapped,
});
const rewrapped = answer('RewrappedDataKeys', z.union([wrappedItem, failed]), wrappedExample);
const unwrapped = answer(
  'UnwrappedDataKeys',
  z.union([plainItem, failed]),
  { plaintext: examples.plaintext, accountKeyGeneration: 1 },
  ...status,
);

const noStore: readonly AnswerHeader[] = ['Cache-Control'];
const headers = { 200: noStore } as const;
const nonce = 'Send a random text in x-keyward-nonce, and the key status repeats it.';

export const dataKeyContracts = {
  generate: {
    summary: `Generates data keys, plain and wrapped. ${nonce}`,
    body: generateBody,
    answers: { 200: generated },
    headers,
  },
  generateWithoutPlaintext: {
    summary: 'Generates data keys, wrapped only',
    body: generateBody,
    answers: { 200: generatedWithout },
    headers,
  },
  wrap: {
    summary: "Wraps the caller's own data keys; one that is no data key stops none of the others",
    body: wrapBody,
    answers: { 200: wrappedOwn },
    headers,
  },
  unwrap: {
    summary: `Unwraps data keys. A key that does not unwrap does not stop the others. ${nonce}`,
    body: wrappedBody,
    answers: { 200: unwrapped },
    headers,
  },
  rewrap: {
    summary: 'Wraps data keys under the newest generation of the account key, without plaintext',
    body: wrappedBody,
    answers: { 200: rewrapped },
    headers,
  },
} as const satisfies Record<string, Contract>;

const statusAnswer = z.strictObject({ keyStatus }).meta({
  id: 'KeyStatusAnswer',
  examples: [{ keyStatus: examples.keyStatus }],
});

export const jwkSet = z
  .strictObject({
    keys: z.array(
      z.strictObject({
        kty: z.literal('OKP'),
        crv: z.literal('Ed25519'),
        x: z.string(),
        kid: z.string(),
        alg: z.literal('EdDSA'),
        use: z.literal('sig'),
      }),
    ),
  })
  .meta({
    id: 'KeyStatusKeys',
    description: 'A JWK set (RFC 7517).',
    examples: [
      {
        keys: [
          {
            kty: 'OKP',
            crv: 'Ed25519',
            x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo',
            kid: 'kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k',
            alg: 'EdDSA',
            use: 'sig',
          },
        ],
      },
    ],
  });

export const keyStatusContracts = {
  status: {
    summary: `Gets a key status. 304: no newer one exists than that of If-None-Match. ${nonce}`,
    answers: { 200: statusAnswer, 304: undefined },
    headers: { 200: ['ETag', 'Cache-Control'], 304: ['ETag', 'Cache-Control'] },
  },
  jwks: {
    summary: 'Returns the public keys that verify key statuses',
    answers: { 200: jwkSet },
    headers: { 200: ['Cache-Control'] },
  },
} as const satisfies Record<string, Contract>;

const usage = z
  .strictObject({
    value: z.array(
      z.strictObject({
        generation: count,
        isNewest: z.boolean(),
        since: time.meta({ description: 'When the generation began to wrap data keys.' }),
        supersededAt: time.optional(),
        lastSeenAt: time.optional().meta({
          description:
            'When a data key of this generation was last unwrapped or wrapped again, to within ten minutes. Absent: never.',
        }),
        destroyedAt: time.optional(),
      }),
    ),
  })
  .meta({
    id: 'DataKeyUsage',
    examples: [
      {
        value: [
          {
            generation: 1,
            isNewest: false,
            since: '2026-05-02T08:00:00.000Z',
            supersededAt: '2026-11-02T08:00:00.000Z',
            lastSeenAt: '2026-11-20T12:30:00.000Z',
          },
          { generation: 2, isNewest: true, since: '2026-11-02T08:00:00.000Z' },
        ],
      },
    ],
  });

export const destroyBody = z
  .strictObject({
    notSeenSince: z.iso
      .datetime()
      .meta({ description: 'A time from the usage. Keyward refuses the call when the last use is later.' }),
  })
  .meta({ id: 'DestroyInput', examples: [{ notSeenSince: '2026-11-21T00:00:00.000Z' }] });

export const usageContracts = {
  usage: {
    summary: 'Lists the generations of an account key that have wrapped data keys, and their last use',
    answers: { 200: usage },
  },
  destroy: {
    summary: 'Destroys an older generation for ever; its wrapped data keys no longer open',
    params: { generation: z.string().meta({ pattern: '^[1-9][0-9]{0,9}$', examples: ['1'] }) },
    body: destroyBody,
    answers: { 200: usage },
  },
} as const satisfies Record<string, Contract>;
