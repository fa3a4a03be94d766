/**
 * The operator's calls on keys: how many accounts each version wraps and which version may be disabled, the accounts
 * that still use a version, and re-wraps on request. `?keyIdentifier=` names the key; a version in it is ignored.
 */
import type { HttpRequest } from '@azure/functions';
import { remedyOf } from '../../../core/base/causes.ts';
import { defined } from '../../../core/base/defined.ts';
import { Refusal } from '../../../core/base/errors.ts';
import { iso, optionalIso } from '../../../core/base/time.ts';
import { versionlessIdentifier } from '../../../core/customerKey/keyIdentifier.ts';
import { forceAccount, forceKey } from '../../../core/rotation/forceRewrap.ts';
import { type HolderPage, holdersOf, keyUsage, type VersionUsage } from '../../../core/rotation/usage.ts';
import type { RouteHandler } from '../../pipeline/call.ts';
import { callUrl } from '../../pipeline/links.ts';
import { parsed, readJson } from '../../pipeline/requestBody.ts';
import { pageSizeOf } from '../../pipeline/requestParams.ts';
import { renderAccount } from '../accounts/accountJson.ts';
import { accountOrKey } from './keyContract.ts';
import { renderFailures } from './rewrapFailureJson.ts';

/** `GET /api/operator/keys/usage` */
export const keyUsageRoute: RouteHandler = async ({ request, service }) => {
  const { key, asOf, versions, rotations, newestUnknown, unusable } = await keyUsage(
    queryOf(request, 'keyIdentifier'),
    service,
  );
  const body = {
    keyIdentifier: versionlessIdentifier(key),
    asOf: iso(asOf),
    versions: versions.map(renderVersion),
    rotations: rotations.map(({ to, since, done, left, failed, failures, isWaiting }) => ({
      to,
      since: iso(since),
      done,
      left,
      failed,
      ...renderFailures({ ...defined({ failures }) }, key),
      ...(isWaiting ? { waiting: true } : {}),
    })),
    ...(newestUnknown === undefined ? {} : { newestUnknown: { ...newestUnknown, since: iso(newestUnknown.since) } }),
    unusableVersions: unusable.map(({ version, cause, since }) => ({
      version,
      cause,
      since: iso(since),
      remedy: remedyOf(cause, { ...key, version }),
    })),
  };
  return { status: 200, jsonBody: body };
};

const renderVersion = ({ notLatestSince, ...usage }: VersionUsage) => ({
  ...usage,
  ...defined({ notLatestSince: optionalIso(notLatestSince) }),
});

/** `GET /api/operator/keys/accounts`: the accounts whose records name `?version=`. */
export const keyAccountsRoute: RouteHandler = async ({ request, service }) => {
  const keyIdentifier = queryOf(request, 'keyIdentifier');
  const version = queryOf(request, 'version').toLowerCase();
  if (!/^[0-9a-f]{32}$/.test(version))
    throw new Refusal('InvalidParameter', 'version must have 32 hexadecimal digits.', { target: 'version' });
  const limit = pageSizeOf(request);
  const token = request.query.get('$skipToken');
  const after = token === null ? {} : { after: token };
  const page = await holdersOf(keyIdentifier, version, { limit, ...after }, service);
  const query = new URLSearchParams({ keyIdentifier, version, $top: String(limit) });
  return { status: 200, jsonBody: { value: page.holders, ...nextLink(request, query, page) } };
};

function nextLink(request: HttpRequest, query: URLSearchParams, { next }: HolderPage) {
  if (next === undefined) return {};
  query.set('$skipToken', next);
  return { nextLink: callUrl(request, `/api/operator/keys/accounts?${query}`) };
}

/**
 * `POST /api/operator/rewraps`: re-wraps one account at once. A worker re-wraps the accounts of a key; their usage
 * shows the progress.
 */
export const rewrapRoute: RouteHandler = async ({ request, actor, service }) => {
  const target = parsed(accountOrKey, await readJson(request));
  if ('account' in target) {
    const view = await forceAccount(target.account, actor, service);
    return { status: 200, jsonBody: renderAccount(view, service.policy) };
  }
  await forceKey(target.keyIdentifier, actor, service);
  const query = new URLSearchParams({ keyIdentifier: target.keyIdentifier });
  return { status: 202, headers: { Location: callUrl(request, `/api/operator/keys/usage?${query}`) } };
};

/** @throws Refusal InvalidParameter */
export function queryOf(request: HttpRequest, name: string): string {
  const value = request.query.get(name) ?? '';
  if (value !== '') return value;
  throw new Refusal('InvalidParameter', `This call needs the query parameter ${name}. Add it.`, { target: name });
}
