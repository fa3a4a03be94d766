/** Key statuses: the current one of an account, the public keys of all, and the one that a refusal carries. */
import type { HttpRequest } from '@azure/functions';
import { Refusal } from '../../../core/base/errors.ts';
import { parseAccountName } from '../../../core/base/names.ts';
import { keyStatusNow, noncePattern, signKeyStatus, signRefusedStatus } from '../../../core/dataKeys/keyStatus.ts';
import type { RouteHandler, WhenRefused } from '../../pipeline/call.ts';
import type { Route } from '../../pipeline/route.ts';
import { keyStatusContracts } from './dataKeyContract.ts';

/** @throws Refusal InvalidParameter */
export function nonceIn(request: HttpRequest): string | undefined {
  const nonce = request.headers.get('x-keyward-nonce');
  if (nonce === null) return undefined;
  if (noncePattern.test(nonce)) return nonce;
  throw new Refusal(
    'InvalidParameter',
    'x-keyward-nonce must have 16 to 64 letters, digits, underscores and hyphens.',
    {
      target: 'x-keyward-nonce',
    },
  );
}

/**
 * The refusal of the inaccessible state also carries a key status when one can be signed. The receiver can pass it on
 * to other processes as proof.
 */
export const refusedWithStatus: WhenRefused = async (refusal, view, { request, service }) => {
  const { code, message, extras } = refusal;
  try {
    const keyStatus = await signRefusedStatus(view, nonceIn(request), service);
    return new Refusal(code, message, { ...extras, info: { ...extras.info, keyStatus } });
  } catch {
    return refusal;
  }
};

const status: RouteHandler = async ({ request, service, known }) => {
  const nonce = nonceIn(request);
  const account = parseAccountName(request.params.accountName ?? '');
  const { view, term, etag } = await keyStatusNow(account, known, service);
  const headers = { ETag: etag, 'Cache-Control': 'no-store' };
  const held = request.headers.get('if-none-match')?.split(',') ?? [];
  if (held.some((one) => one.trim().replace(/^W\//, '') === etag)) return { status: 304, headers };
  return { status: 200, headers, jsonBody: { keyStatus: await signKeyStatus(view, term, nonce, service) } };
};

const jwks: RouteHandler = async ({ service }) => ({
  status: 200,
  headers: { 'Cache-Control': 'public, max-age=60' },
  jsonBody: { keys: await service.statusKeys.published() },
});

export const keyStatusRoutes: readonly Route[] = [
  {
    name: 'keyStatus',
    method: 'GET',
    path: 'accounts/{accountName}/keyStatus',
    scope: 'account',
    role: 'DataKeys.Use',
    gate: 'beside',
    whenRefused: refusedWithStatus,
    contract: keyStatusContracts.status,
    handler: status,
  },
  {
    name: 'keyStatusJwks',
    method: 'GET',
    path: 'keyStatus/jwks',
    scope: 'public',
    role: 'Accounts.Read',
    contract: keyStatusContracts.jwks,
    handler: jwks,
  },
];
