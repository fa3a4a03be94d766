/** The handlers of the HTTP routes, by the name of their function. The first HTTP call of a process loads this file. */
import type { HttpHandler } from '@azure/functions';
import { type FamilyName, families } from '../families.ts';
import { handlerOf } from './pipeline.ts';

export async function handlerNamed(name: string, family: string): Promise<HttpHandler> {
  const routes = await families[family as FamilyName]?.();
  const route = routes?.find((one) => one.name === name);
  if (route === undefined) throw new Error(`The built app has a route '${name}' that is not in its route table.`);
  return handlerOf(route);
}
