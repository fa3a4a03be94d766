/**
 * Every HTTP route, once: registration, the gate of the Customer Key Inaccessible state, permissions and the tests that walk all
 * routes read this table. A route that does not say otherwise is refused in the inaccessible state.
 */
import {
  deleteAccountRoute,
  getAccountRoute,
  listAccountsRoute,
  patchAccountRoute,
  putAccountRoute,
} from './accounts.ts';
import { claimRoutes } from './claims.ts';
import { contentKeyRoutes } from './contentKeys.ts';
import { eventRoutes } from './events.ts';
import { healthRoutes } from './health.ts';
import { jobInputRoutes } from './jobInputs.ts';
import { keyAccountsRoute, keyUsageRoute, rewrapRoute } from './keys.ts';
import { lookNowRoute } from './looks.ts';
import { repairIdentityApi } from './repairIdentity.ts';
import { rotateAccountKeyRoute } from './rotateAccountKey.ts';
import type { Route } from './route.ts';
import { tokenKeyRoutes } from './tokenKeys.ts';
import { validateEncryptionApi } from './validateEncryption.ts';

export const routes: readonly Route[] = [
  {
    ...{ name: 'accountsList', method: 'GET', path: 'accounts', scope: 'account', role: 'Accounts.Read' },
    ...{ whileInaccessible: 'allowed', handler: listAccountsRoute },
  },
  {
    ...{ name: 'accountsGet', method: 'GET', path: 'accounts/{accountName}', scope: 'account', role: 'Accounts.Read' },
    ...{ whileInaccessible: 'allowed', handler: getAccountRoute },
  },
  {
    ...{ name: 'accountsPut', method: 'PUT', path: 'accounts/{accountName}', scope: 'account', role: 'Accounts.Write' },
    handler: putAccountRoute,
  },
  {
    ...{ name: 'accountsPatch', method: 'PATCH', path: 'accounts/{accountName}', scope: 'account' },
    ...{ role: 'Accounts.Write', handler: patchAccountRoute },
  },
  {
    ...{ name: 'accountsDelete', method: 'DELETE', path: 'accounts/{accountName}', scope: 'account' },
    ...{ role: 'Accounts.Write', whileInaccessible: 'allowed', handler: deleteAccountRoute },
  },
  validateEncryptionApi,
  ...contentKeyRoutes,
  ...jobInputRoutes,
  ...tokenKeyRoutes,
  {
    ...{ name: 'operatorRotateAccountKey', method: 'POST', path: 'operator/accounts/{accountName}/rotateAccountKey' },
    ...{ scope: 'operator', role: 'Keys.Operate', handler: rotateAccountKeyRoute },
  },
  repairIdentityApi,
  ...claimRoutes,
  {
    ...{ name: 'operatorLooks', method: 'POST', path: 'operator/looks', scope: 'operator', role: 'Keys.Operate' },
    handler: lookNowRoute,
  },
  {
    ...{
      name: 'operatorKeyUsage',
      method: 'GET',
      path: 'operator/keys/usage',
      scope: 'operator',
      role: 'Keys.Operate',
    },
    handler: keyUsageRoute,
  },
  {
    ...{ name: 'operatorKeyAccounts', method: 'GET', path: 'operator/keys/accounts', scope: 'operator' },
    ...{ role: 'Keys.Operate', handler: keyAccountsRoute },
  },
  {
    ...{ name: 'operatorRewraps', method: 'POST', path: 'operator/rewraps', scope: 'operator', role: 'Keys.Operate' },
    handler: rewrapRoute,
  },
  ...eventRoutes,
  ...healthRoutes,
];
