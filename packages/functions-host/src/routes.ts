/**
 * Selects the function for a request as the Functions host does (WebJobsRouter, ScriptRouteHandler): in the order of
 * names, the first function whose template, constraints and method match. A literal has no rank above a parameter, and
 * a wrong method is 404, not 405.
 */
import { matchTemplate, segmentsOf, type Template } from './routeTemplate.ts';

export interface Route {
  functionName: string;
  /** With the route prefix, as matched. */
  text: string;
  template: Template;
  /** Upper case; undefined accepts every method. */
  methods: string[] | undefined;
}

/** In the order of matching: by name, ignoring case. */
export function orderRoutes<T extends Route>(routes: readonly T[]): T[] {
  return [...routes].sort((a, b) => {
    const [left, right] = [a.functionName.toUpperCase(), b.functionName.toUpperCase()];
    return left < right ? -1 : left > right ? 1 : 0;
  });
}

export function findRoute<T extends Route>(
  ordered: readonly T[],
  method: string,
  path: string,
): { route: T; params: Record<string, string> } | undefined {
  const segments = segmentsOf(path);
  for (const route of ordered) {
    if (route.methods !== undefined && !route.methods.includes(method.toUpperCase())) continue;
    const params = matchTemplate(route.template, segments);
    if (params !== undefined) return { route, params };
  }
  return undefined;
}

/** Two functions with the same route and a method in common, of which the real host refuses to load the later. */
export function isClash(earlier: Route, later: Route): boolean {
  if (earlier.text.toLowerCase() !== later.text.toLowerCase()) return false;
  const { methods } = later;
  return methods === undefined || earlier.methods === undefined || earlier.methods.some((one) => methods.includes(one));
}
