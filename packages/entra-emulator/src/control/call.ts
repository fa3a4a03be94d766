/** One control call: the listing, the routing and the answer use the same entry. */
import * as z from 'zod';
import type { Answer } from '../http.ts';
import { Name, TenantId } from '../seeds.ts';
import type { World } from '../world.ts';
import type { ExampleNames } from './exampleNames.ts';

export type Params = Record<string, string>;

export type ControlCall = {
  method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  /** `:name` matches one segment. */
  path: string;
  does: string;
  /** A body to copy. */
  example?(names: ExampleNames): unknown;
  /** In the line to paste, for `:name`; default: an application that exists. */
  exampleName?: string;
  answer(world: World, params: Params, body: unknown): Answer | Promise<Answer>;
};

export const ok = (body: unknown): Answer => ({ status: 200, body });
export const gone: Answer = { status: 204 };

/** A call with a body, which its schema parses before `act` runs. */
export function withBody<S extends z.ZodType>(
  schema: S,
  act: (world: World, params: Params, body: z.output<S>) => unknown,
): ControlCall['answer'] {
  return async (world, params, body) => ok(await act(world, params, schema.parse(body)));
}

export const tenantIn = (params: Params) => z.object({ tenant: TenantId }).parse(params).tenant;
export const nameIn = (params: Params) => z.object({ name: Name }).parse(params).name;
export const credentialIn = (params: Params) => z.object({ credential: Name }).parse(params).credential;
