/** The contracts of the calls that all kinds of secrets share, made from the facts of each kind. */
import * as z from 'zod';
import { etag, pageOf, paging, systemData, systemDataExample } from '../../pipeline/contractParts.ts';
import { errorDetail } from '../../pipeline/errorJson.ts';
import type { AnswerHeader, Contract } from '../../pipeline/route.ts';

export interface SecretSchemas {
  /** As in `ContentKey`: names of schemas begin with it. */
  readonly noun: string;
  /** As in `a content key`. */
  readonly called: string;
  /** The parameter in the path. */
  readonly name: z.ZodType;
  readonly nameExample: string;
  readonly body: z.ZodType;
  /** Properties that every answer shows. */
  readonly shown: z.ZodRawShape;
  readonly readExample: Readonly<Record<string, unknown>>;
  /** Properties that reveal adds. */
  readonly revealed: z.ZodRawShape;
  readonly revealedExample: Readonly<Record<string, unknown>>;
}

const noStore: readonly AnswerHeader[] = ['Cache-Control'];

/** The schema of an answer: a secret with the given properties. */
export function secretAnswer(
  { nameExample }: SecretSchemas,
  { id, kind, shape, example }: { id: string; kind: string; shape: z.ZodRawShape; example: object },
) {
  const type = `Keyward/accounts/${kind}`;
  const whole = {
    id: `/accounts/contoso-media/${kind}/${nameExample}`,
    name: nameExample,
    type,
    properties: example,
    systemData: systemDataExample,
    etag: '"5b9f0c1a-7c0e-4f4e-9d2a-3c1d2e4f5a6b"',
  };
  const parts = {
    id: z.string(),
    name: z.string(),
    type: z.literal(type),
    properties: z.strictObject(shape),
    systemData,
    etag,
  };
  return { parts, whole, schema: z.strictObject(parts).meta({ id, examples: [whole] }) };
}

export function secretContracts(kind: string, schemas: SecretSchemas) {
  const { noun, called, body, shown, revealed } = schemas;
  const plain = secretAnswer(schemas, { id: noun, kind, shape: shown, example: schemas.readExample });
  const shape = { ...shown, ...revealed };
  const example = { ...schemas.readExample, ...schemas.revealedExample };
  const open = secretAnswer(schemas, { id: `Revealed${noun}`, kind, shape, example });
  const broken = z.strictObject({ ...plain.parts, error: errorDetail }).meta({
    id: `Broken${noun}`,
    description: 'Secrets of the page that do not open, or that belong to another secret. They do not stop the others.',
  });
  const params = { [kind === 'contentKeys' ? 'id' : 'name']: schemas.name };
  const contracts = {
    list: {
      summary: `Lists ${kind}, without their values`,
      query: paging,
      answers: { 200: pageOf(`${noun}List`, plain.schema, [plain.whole]) },
    },
    get: {
      summary: `Gets ${called}, without its value`,
      params,
      answers: { 200: plain.schema, 304: undefined },
      headers: { 200: ['ETag'], 304: ['ETag'] },
    },
    put: {
      summary: `Creates or changes ${called}`,
      params,
      body,
      conditional: 'create',
      answers: { 200: plain.schema, 201: plain.schema },
      headers: { 200: ['ETag'], 201: ['ETag'] },
    },
    delete: {
      summary: `Deletes ${called}`,
      params,
      conditional: 'match',
      answers: { 200: undefined, 204: undefined },
    },
    reveal: {
      summary: `Reveals ${called}`,
      params,
      answers: { 200: open.schema },
      headers: { 200: noStore },
    },
    revealPage: {
      summary: `Reveals a page of ${kind}`,
      query: paging,
      answers: { 200: pageOf(`Revealed${noun}List`, z.union([open.schema, broken]), [open.whole]) },
      headers: { 200: noStore },
    },
  } as const satisfies Record<string, Contract>;
  return contracts;
}
