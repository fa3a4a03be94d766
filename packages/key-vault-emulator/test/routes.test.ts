import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { durationDays } from '../src/rotationPolicy.ts';
import { parseRoute } from '../src/routes.ts';

const VERSION = '0123456789abcdef0123456789abcdef';

describe('routes', () => {
  it.each([
    ['GET', '/keys', 'list', undefined, undefined],
    ['GET', '/keys/n', 'get', 'n', undefined],
    ['GET', '/keys/n/', 'get', 'n', undefined],
    ['GET', `/keys/n/${VERSION.toUpperCase()}`, 'get', 'n', VERSION],
    ['GET', '/keys/n/versions', 'listversions', 'n', undefined],
    ['POST', '/keys/n/create', 'create', 'n', undefined],
    ['PUT', '/keys/n', 'import', 'n', undefined],
    ['PATCH', '/keys/n/', 'update', 'n', undefined],
    ['PATCH', `/keys/n/${VERSION}`, 'update', 'n', VERSION],
    ['POST', '/keys/n/rotate', 'rotate', 'n', undefined],
    ['GET', '/keys/n/rotationpolicy', 'getrotationpolicy', 'n', undefined],
    ['PUT', '/keys/n/rotationPolicy', 'setrotationpolicy', 'n', undefined],
    ['DELETE', '/keys/n', 'delete', 'n', undefined],
    ['GET', '/deletedkeys', 'listdeleted', undefined, undefined],
    ['GET', '/deletedkeys/n', 'getdeleted', 'n', undefined],
    ['POST', '/DeletedKeys/n/Recover', 'recover', 'n', undefined],
    ['DELETE', '/deletedkeys/n', 'purge', 'n', undefined],
    ['POST', `/keys/n/${VERSION}/wrapKey`, 'wrapkey', 'n', VERSION],
    ['POST', '/keys/n//unwrapkey', 'unwrapkey', 'n', undefined],
    ['POST', '/keys/n/unwrapkey/', 'unwrapkey', 'n', undefined],
    ['POST', `/keys/n/${VERSION}/decrypt`, 'decrypt', 'n', VERSION],
    ['POST', `/keys/n/${VERSION}/sign`, 'sign', 'n', VERSION],
  ])('the route %s %s is the operation %s', (method, target, operation, key, version) => {
    const route = parseRoute(method, `${target}?api%2Dversion=7.4`);
    expect(route).toMatchObject({ operation, ...(key ? { key } : {}), ...(version ? { version } : {}) });
    expect('query' in route && route.query.get('api-version')).toBe('7.4');
  });

  it.each([
    ['GET', '/nothing', 404],
    ['GET', '/keys/with_underscore', 404],
    ['POST', '/keys/n', 405],
    ['GET', '/keys/n/v/wrapkey', 405],
    ['POST', '/keys/n/v/verify', 501],
    ['POST', '/keys/n/v/release', 501],
    ['GET', '/keys/n/v/attestation', 501],
    ['POST', '/keys/n/backup', 501],
    ['POST', '/keys/restore', 501],
    ['POST', '/rng', 501],
    ['GET', '/secrets', 501],
    ['GET', '/secrets/n/v', 501],
    ['PUT', '/Certificates/n', 501],
    ['GET', '/deletedsecrets', 501],
    ['PUT', '/providers/Microsoft.Authorization/roleAssignments/r', 501],
    ['POST', '/securitydomain/download', 501],
    ['GET', '/keys/n/a/b/c', 404],
  ])('the route %s %s is refused with %i', (method, target, status) => {
    expect(parseRoute(method, target)).toMatchObject({ status });
  });

  it('the route parser never throws, for any request line', () => {
    fc.assert(fc.property(fc.string(), fc.string(), (method, target) => void parseRoute(method, target)));
    fc.assert(
      fc.property(fc.array(fc.constantFrom('keys', '', '%', '..', 'n', 'wrapkey', 'deletedkeys', '?')), (parts) => {
        void parseRoute('POST', `/${parts.join('/')}`);
      }),
    );
  });
});

describe('durations', () => {
  it.each([
    ['P7D', 7],
    ['P2W', 14],
    ['P3M', 90],
    ['P2Y', 730],
    ['P1Y2M3D', 428],
    ['P', undefined],
    ['7D', undefined],
    ['PT5H', undefined],
  ])('the duration %s is %s days', (text, days) => {
    expect(durationDays(text)).toBe(days);
  });
});
