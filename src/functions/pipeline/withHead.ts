/**
 * Every GET answers HEAD too (RFC 9110, 9.1): front doors and monitors probe with it. The host leaves out the body.
 */
import type { Route } from './route.ts';

export const withHead = (method: Route['method']): (Route['method'] | 'HEAD')[] =>
  method === 'GET' ? ['GET', 'HEAD'] : [method];
