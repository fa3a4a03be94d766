/**
 * What the calls of the control API share: a row of its table, and the parsing of input with errors that name the
 * field.
 */
import * as z from 'zod';
import { Refused } from './errors.ts';
import type { ExampleNames } from './exampleNames.ts';
import type { Vault } from './model.ts';
import type { World } from './world.ts';

export type ControlCall = {
  world: World;
  params: Record<string, string>;
  query: Record<string, string>;
  body: unknown;
};

export type ControlRoute = {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** With `:name` for a parameter. */
  path: string;
  about: string;
  /** A body that works, for the help text. */
  example?(names: ExampleNames): unknown;
  run(call: ControlCall): unknown;
};

/** Parses a body by its schema; an error is a 400 that names the field. */
export function read<T>(schema: z.ZodType<T>, body: unknown): T {
  const result = schema.safeParse(body ?? {});
  if (result.success) return result.data;
  const messages = result.error.issues.map((issue) => {
    const field = issue.path.join('.');
    return field === '' ? issue.message : `${field}: ${issue.message}`;
  });
  throw new Refused({ status: 400, code: 'BadRequest', message: messages.join('; ') });
}

export function notFound(what: string): Refused {
  return new Refused({ status: 404, code: 'NotFound', message: `There is no ${what}.` });
}

export function param(call: ControlCall, name: string): string {
  return call.params[name] ?? '';
}

export function vaultOf(call: ControlCall): Vault {
  const vault = call.world.vaults.get(param(call, 'vault').toLowerCase());
  if (vault === undefined) throw notFound(`vault ${param(call, 'vault')}`);
  return vault;
}

/** Seconds since 1970, or ISO 8601; null removes the value. */
export const time = z
  .union([z.number().int(), z.iso.datetime({ offset: true }).transform((text) => Math.floor(Date.parse(text) / 1000))])
  .nullish();
