import type { HttpRequest } from '@azure/functions';
import { describe, expect, test } from 'vitest';
import { hasVersion } from '../../src/functions/pipeline/apiVersion.ts';
import { checkQuery } from '../../src/functions/pipeline/queryParameters.ts';
import type { Route } from '../../src/functions/pipeline/route.ts';
import { routes } from '../../src/functions/routes.ts';

const check = (route: Route, query: string) => () =>
  checkQuery({ query: new URLSearchParams(query) } as unknown as HttpRequest, route);

/** Clients of Azure Media Services and probes send parameters of their own. */
const accepts = (route: Route): boolean => route.contract === undefined || route.scope === 'public';

describe('a query parameter', () => {
  test.each(routes.filter((route) => !accepts(route)))(
    'a query parameter that the call $name does not have is refused, and the answer names those that it has',
    (route) => {
      const own = Object.keys(route.contract?.query ?? {});
      const known = hasVersion(route) ? [...own, 'api-version'] : own;
      for (const name of ['ownr', 'OWNER', '$filter', ''])
        expect(check(route, `${name}=x`)).toThrow(
          expect.objectContaining({
            code: 'InvalidParameter',
            message: expect.stringContaining(known.length === 0 ? 'It has none.' : `It has ${known.join(', ')}.`),
          }),
        );
      for (const name of own) {
        expect(check(route, `${name}=x`)).not.toThrow();
        expect(check(route, `${name}=x&${name}=y`)).toThrow(/occurs twice/);
      }
      expect(check(route, 'code=key')).not.toThrow();
    },
  );

  test('a query parameter that no code reads is refused by every call but those of Azure Media Services and the public ones', () => {
    const others = routes.filter(accepts).filter(({ path }) => !/^(subscriptions|providers)\//.test(path));
    expect(others.filter(({ scope }) => scope !== 'public').map(({ name }) => name)).toEqual([]);
  });
});
