/**
 * From method and URL to an operation. The service ignores the case of routes, and clients in the wild send trailing
 * slashes and double slashes (an empty version: `/keys/n//wrapkey`) and encode the dash in `api-version`.
 * Routes: azure-rest-api-specs, specification/keyvault/data-plane/Keys/routes.tsp.
 */
import { notEmulated } from './refusals.ts';

export const operations = [
  'list',
  'listversions',
  'get',
  'create',
  'import',
  'update',
  'rotate',
  'getrotationpolicy',
  'setrotationpolicy',
  'delete',
  'listdeleted',
  'getdeleted',
  'recover',
  'purge',
  'wrapkey',
  'unwrapkey',
  'encrypt',
  'decrypt',
  'sign',
] as const;
export type Operation = (typeof operations)[number];

export type CryptoOperation = 'wrapkey' | 'unwrapkey' | 'encrypt' | 'decrypt' | 'sign';

export type Route = { operation: Operation; key?: string; version?: string; query: URLSearchParams };

export type NoRoute = { status: 404 | 405 | 501; code: string; message: string };

const KEY_NAME = /^[0-9a-zA-Z-]{1,127}$/;
const crypto = new Set(['wrapkey', 'unwrapkey', 'encrypt', 'decrypt', 'sign']);
const operationsLeftOut = new Set(['verify', 'release', 'backup', 'attestation']);
/** Routes of a vault or Managed HSM beside keys: azure-rest-api-specs, specification/keyvault/data-plane. */
const collectionsLeftOut = new Set([
  'secrets',
  'deletedsecrets',
  'certificates',
  'deletedcertificates',
  'storage',
  'deletedstorage',
  'rng',
  'backup',
  'restore',
  'restorekeys',
  'selectiverestore',
  'providers',
  'settings',
  'securitydomain',
  'ekm',
]);

const notFound: NoRoute = { status: 404, code: 'NotFound', message: 'Resource not found.' };
const badMethod: NoRoute = { status: 405, code: 'MethodNotAllowed', message: 'The method is not allowed here.' };

export function isCrypto(operation: Operation): operation is CryptoOperation {
  return crypto.has(operation);
}

export function parseRoute(method: string, target: string): Route | NoRoute {
  const [path = '', query = ''] = target.split('?', 2);
  const segments = path.split('/').map(decode);
  while (segments.at(-1) === '') segments.pop();
  while (segments[0] === '') segments.shift();
  const [collection = '', key = '', ...rest] = segments;
  const found =
    collection.toLowerCase() === 'keys'
      ? keysRoute(method, key, rest)
      : collection.toLowerCase() === 'deletedkeys'
        ? deletedKeysRoute(method, key, rest)
        : collectionsLeftOut.has(collection.toLowerCase())
          ? notEmulated(`${method} /${collection}`)
          : notFound;
  if ('status' in found) return found;
  if (found.key !== undefined && !KEY_NAME.test(found.key)) return notFound;
  return { ...found, query: new URLSearchParams(query) };
}

type Found = Omit<Route, 'query'> | NoRoute;

function keysRoute(method: string, key: string, rest: string[]): Found {
  if (key === '') return method === 'GET' ? { operation: 'list' } : badMethod;
  if (method === 'POST' && rest.length === 0 && key.toLowerCase() === 'restore') return notEmulated('restore');
  const last = rest.at(-1)?.toLowerCase() ?? '';
  if (rest.length <= 2 && crypto.has(last)) {
    if (method !== 'POST') return badMethod;
    return { operation: last as CryptoOperation, key, ...versionOf(rest.length === 2 ? rest[0] : undefined) };
  }
  if (operationsLeftOut.has(last)) return notEmulated(`the operation ${last}`);
  if (rest.length > 1) return notFound;
  switch (last) {
    case 'create':
      return method === 'POST' ? { operation: 'create', key } : badMethod;
    case 'rotate':
      return method === 'POST' ? { operation: 'rotate', key } : badMethod;
    case 'versions':
      return method === 'GET' ? { operation: 'listversions', key } : badMethod;
    case 'rotationpolicy':
      if (method === 'GET') return { operation: 'getrotationpolicy', key };
      return method === 'PUT' ? { operation: 'setrotationpolicy', key } : badMethod;
  }
  const version = versionOf(rest[0]);
  if (method === 'GET') return { operation: 'get', key, ...version };
  if (method === 'PATCH') return { operation: 'update', key, ...version };
  if (rest.length === 0 && method === 'PUT') return { operation: 'import', key };
  if (rest.length === 0 && method === 'DELETE') return { operation: 'delete', key };
  return badMethod;
}

function deletedKeysRoute(method: string, key: string, rest: string[]): Found {
  if (key === '') return method === 'GET' ? { operation: 'listdeleted' } : badMethod;
  if (rest.length === 1 && rest[0]?.toLowerCase() === 'recover') {
    return method === 'POST' ? { operation: 'recover', key } : badMethod;
  }
  if (rest.length > 0) return notFound;
  if (method === 'GET') return { operation: 'getdeleted', key };
  return method === 'DELETE' ? { operation: 'purge', key } : badMethod;
}

function versionOf(segment: string | undefined): { version?: string } {
  return segment === undefined || segment === '' ? {} : { version: segment.toLowerCase() };
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
