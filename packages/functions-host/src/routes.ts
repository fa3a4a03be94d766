/**
 * Which function answers, decided as the Functions host decides it (WebJobsRouter, ScriptRouteHandler): functions in the
 * order of their names, the first one whose template, constraints and method all fit. Nothing ranks a literal above a
 * parameter, and a wrong method is not found rather than not allowed.
 */
import { matchTemplate, type Template } from './routeTemplate.ts';

export interface Route {
  functionName: string;
  /** With the route prefix, as matched. */
  text: string;
  template: Template;
  /** Upper case; undefined takes every method. */
  methods: string[] | undefined;
}

/** In the order in which the host tries them: by name, ignoring case. */
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
  for (const route of ordered) {
    if (route.methods !== undefined && !route.methods.includes(method.toUpperCase())) continue;
    const params = matchTemplate(route.template, path);
    if (params !== undefined) return { route, params };
  }
  return undefined;
}

/** The later of two functions with the same route and a method in common; the real host refuses to load it. */
export function findClash(ordered: readonly Route[]): [Route, Route] | undefined {
  for (const [index, later] of ordered.entries()) {
    const earlier = ordered.slice(0, index).find((one) => {
      if (one.text.toLowerCase() !== later.text.toLowerCase()) return false;
      const { methods } = later;
      return methods === undefined || one.methods === undefined || one.methods.some((name) => methods.includes(name));
    });
    if (earlier !== undefined) return [earlier, later];
  }
  return undefined;
}
