/** The handlers of the HTTP routes, by the name of their function. The first HTTP call of a process loads this file. */
import type { HttpHandler } from '@azure/functions';
import { routes } from '../routes.ts';
import { handlerOf } from './pipeline.ts';

const handlers: ReadonlyMap<string, HttpHandler> = new Map(routes.map((route) => [route.name, handlerOf(route)]));

export function handlerNamed(name: string): HttpHandler {
  const handler = handlers.get(name);
  if (handler === undefined) throw new Error(`The built app has a route '${name}' that is not in its route table.`);
  return handler;
}
