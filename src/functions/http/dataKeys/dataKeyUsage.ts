/**
 * The operator's calls on the generations of an account key that have wrapped data keys: list those in use, and destroy
 * one.
 */

import type { AccountView } from '../../../core/accounts/account.ts';
import { getAccount } from '../../../core/accounts/readAccount.ts';
import { defined } from '../../../core/base/defined.ts';
import { Refusal } from '../../../core/base/errors.ts';
import { iso, optionalIso } from '../../../core/base/time.ts';
import { destroyGeneration } from '../../../core/dataKeys/destroyGeneration.ts';
import { dataKeyUsage } from '../../../core/dataKeys/lastSeen.ts';
import type { Service } from '../../../core/service.ts';
import type { RouteHandler } from '../../pipeline/call.ts';
import { parsed, readJson } from '../../pipeline/requestBody.ts';
import type { Route } from '../../pipeline/route.ts';
import { destroyBody, usageContracts } from './dataKeyContract.ts';

async function usageOf(view: AccountView, service: Service) {
  const generations = await dataKeyUsage(view, service);
  const value = generations.map(({ generation, isNewest, since, supersededAt, lastSeenAt, destroyedAt }) => ({
    generation,
    isNewest,
    since: iso(since),
    ...defined({
      supersededAt: optionalIso(supersededAt),
      lastSeenAt: optionalIso(lastSeenAt),
      destroyedAt: optionalIso(destroyedAt),
    }),
  }));
  return { status: 200, jsonBody: { value } };
}

const usage: RouteHandler = async ({ request, service }) =>
  usageOf(await getAccount(request.params.accountName ?? '', service), service);

const destroy: RouteHandler = async ({ request, actor, service }) => {
  const { accountName = '', generation = '' } = request.params;
  if (!/^[1-9]\d{0,9}$/.test(generation))
    throw new Refusal('InvalidParameter', 'A generation must be a whole number from 1 on.', { target: 'generation' });
  const { notSeenSince } = parsed(destroyBody, await readJson(request));
  const at = Date.parse(notSeenSince);
  return usageOf(await destroyGeneration(accountName, Number(generation), at, actor, service), service);
};

const path = 'operator/accounts/{accountName}/dataKeyGenerations';

export const dataKeyUsageRoutes: readonly Route[] = [
  {
    name: 'operatorDataKeyUsage',
    method: 'GET',
    path,
    scope: 'operator',
    role: 'Keys.Operate',
    contract: usageContracts.usage,
    handler: usage,
  },
  {
    name: 'operatorDestroyDataKeyGeneration',
    method: 'POST',
    path: `${path}/{generation}/destroy`,
    scope: 'operator',
    role: 'Keys.Operate',
    contract: usageContracts.destroy,
    handler: destroy,
  },
];
