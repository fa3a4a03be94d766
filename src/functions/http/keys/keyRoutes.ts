/** The operator's routes of customers' keys. */
import type { Route } from '../../pipeline/route.ts';
import { lookNowRoute } from './checkKey.ts';
import { keyContracts, lookContract } from './keyContract.ts';
import { keyAccountsRoute, keyUsageRoute, rewrapRoute } from './keys.ts';

export const keyRoutes: readonly Route[] = [
  {
    name: 'operatorLooks',
    method: 'POST',
    path: 'operator/looks',
    scope: 'operator',
    role: 'Keys.Operate',
    contract: lookContract,
    handler: lookNowRoute,
  },
  {
    name: 'operatorKeyUsage',
    method: 'GET',
    path: 'operator/keys/usage',
    scope: 'operator',
    role: 'Keys.Operate',
    contract: keyContracts.usage,
    handler: keyUsageRoute,
  },
  {
    name: 'operatorKeyAccounts',
    method: 'GET',
    path: 'operator/keys/accounts',
    scope: 'operator',
    role: 'Keys.Operate',
    contract: keyContracts.accounts,
    handler: keyAccountsRoute,
  },
  {
    name: 'operatorRewraps',
    method: 'POST',
    path: 'operator/rewraps',
    scope: 'operator',
    role: 'Keys.Operate',
    contract: keyContracts.rewrap,
    handler: rewrapRoute,
  },
];
