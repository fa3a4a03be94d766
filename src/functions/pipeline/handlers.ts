/** The handlers of the HTTP routes, by the name of their function: what the first HTTP call of a process loads. */
import type { HttpHandler } from '@azure/functions';
import { routes } from '../routes.ts';
import { handlerOf } from './pipeline.ts';

const handlers: ReadonlyMap<string, HttpHandler> = new Map(routes.map((route) => [route.name, handlerOf(route)]));

export function handlerNamed(name: string): HttpHandler {
  const handler = handlers.get(name);
  if (handler === undefined) throw new Error(`The app was built with a route '${name}' that its table does not have.`);
  return handler;
}
