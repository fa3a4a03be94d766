/**
 * Every HTTP route, once: registration, the gate of the Customer Key Inaccessible state, permissions and the tests that walk all
 * routes read this table. A route that does not say otherwise is refused in the inaccessible state.
 */

import { accountContracts } from './accountContract.ts';
import {
  deleteAccountRoute,
  getAccountRoute,
  listAccountsRoute,
  patchAccountRoute,
  putAccountRoute,
} from './accounts.ts';
import { amsRoutes } from './ams/routes.ts';
import { auditRoutes } from './audit.ts';
import { claimRoutes } from './claims.ts';
import { contentKeyRoutes } from './contentKeys.ts';
import { changeDanger } from './dangers.ts';
import { eventRoutes } from './events.ts';
import { healthRoutes } from './health.ts';
import { jobInputRoutes } from './jobInputs.ts';
import { keyContracts, lookContract } from './keyContract.ts';
import { keyAccountsRoute, keyUsageRoute, rewrapRoute } from './keys.ts';
import { lookNowRoute } from './looks.ts';
import { openApiRoute } from './openApiRoute.ts';
import { repairIdentityApi } from './repairIdentity.ts';
import { ringsContract, ringsRoute, rotateRingContract, rotateRingRoute } from './rings.ts';
import { rotateAccountKeyRoute } from './rotateAccountKey.ts';
import type { Route } from './route.ts';
import { tokenKeyRoutes } from './tokenKeys.ts';
import { validateEncryptionApi } from './validateEncryption.ts';

const documented: readonly Route[] = [
  {
    ...{ name: 'accountsList', method: 'GET', path: 'accounts', scope: 'account', role: 'Accounts.Read' },
    ...{ whileInaccessible: 'allowed', contract: accountContracts.list, handler: listAccountsRoute },
  },
  {
    ...{ name: 'accountsGet', method: 'GET', path: 'accounts/{accountName}', scope: 'account', role: 'Accounts.Read' },
    ...{ whileInaccessible: 'allowed', contract: accountContracts.get, handler: getAccountRoute },
  },
  {
    ...{ name: 'accountsPut', method: 'PUT', path: 'accounts/{accountName}', scope: 'account', role: 'Accounts.Write' },
    ...{ contract: accountContracts.put, handler: putAccountRoute, danger: changeDanger },
  },
  {
    ...{ name: 'accountsPatch', method: 'PATCH', path: 'accounts/{accountName}', scope: 'account' },
    ...{ role: 'Accounts.Write', contract: accountContracts.patch, handler: patchAccountRoute, danger: changeDanger },
  },
  {
    ...{ name: 'accountsDelete', method: 'DELETE', path: 'accounts/{accountName}', scope: 'account' },
    ...{ role: 'Accounts.Write', whileInaccessible: 'allowed' },
    ...{ contract: accountContracts.delete, handler: deleteAccountRoute },
  },
  validateEncryptionApi,
  ...contentKeyRoutes,
  ...jobInputRoutes,
  ...tokenKeyRoutes,
  {
    ...{ name: 'operatorRotateAccountKey', method: 'POST', path: 'operator/accounts/{accountName}/rotateAccountKey' },
    ...{ scope: 'operator', role: 'Keys.Operate', contract: accountContracts.rotateKey },
    handler: rotateAccountKeyRoute,
  },
  repairIdentityApi,
  ...claimRoutes,
  {
    ...{ name: 'operatorLooks', method: 'POST', path: 'operator/looks', scope: 'operator', role: 'Keys.Operate' },
    ...{ contract: lookContract, handler: lookNowRoute },
  },
  {
    ...{
      name: 'operatorKeyUsage',
      method: 'GET',
      path: 'operator/keys/usage',
      scope: 'operator',
      role: 'Keys.Operate',
    },
    ...{ contract: keyContracts.usage, handler: keyUsageRoute },
  },
  {
    ...{ name: 'operatorKeyAccounts', method: 'GET', path: 'operator/keys/accounts', scope: 'operator' },
    ...{ role: 'Keys.Operate', contract: keyContracts.accounts, handler: keyAccountsRoute },
  },
  {
    ...{ name: 'operatorRewraps', method: 'POST', path: 'operator/rewraps', scope: 'operator', role: 'Keys.Operate' },
    ...{ contract: keyContracts.rewrap, handler: rewrapRoute },
  },
  {
    ...{ name: 'operatorRings', method: 'GET', path: 'operator/rings', scope: 'operator', role: 'Keys.Operate' },
    ...{ contract: ringsContract, handler: ringsRoute },
  },
  {
    ...{ name: 'operatorRotateRing', method: 'POST', path: 'operator/rings/{ring}/rotate', scope: 'operator' },
    ...{ role: 'Keys.Operate', contract: rotateRingContract, handler: rotateRingRoute },
  },
  ...auditRoutes,
  ...eventRoutes,
  ...healthRoutes,
  ...amsRoutes,
];

/** The document tells of every route with a contract, and of itself. */
export const routes: readonly Route[] = [...documented, openApiRoute(() => routes)];
