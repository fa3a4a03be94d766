/**
 * Every HTTP route, once. Registration, the gate of the Customer Key Inaccessible state, permissions and the tests that
 * walk all routes read this table. The inaccessible state refuses a route unless the route declares otherwise.
 */
import { defined } from '../core/base/defined.ts';
import { families } from './families.ts';
import type { Route } from './pipeline/route.ts';

/** What registration needs of the routes, by family. */
export type RegisteredRoutes = Readonly<Record<string, readonly RegisteredRoute[]>>;
type RegisteredRoute = Pick<Route, 'name' | 'method' | 'path' | 'scope' | 'bearerOnly'>;

const loaded = await Promise.all(
  Object.entries(families).map(async ([family, load]) => [family, await load()] as const),
);

export const routes: readonly Route[] = loaded.flatMap(([, ofFamily]) => ofFamily);

export const registeredRoutes: RegisteredRoutes = Object.fromEntries(
  loaded.map(([family, ofFamily]) => [family, ofFamily.map(registered)]),
);

function registered({ name, method, path, scope, bearerOnly }: Route): RegisteredRoute {
  return { name, method, path, scope, ...defined({ bearerOnly }) };
}
