/**
 * Every HTTP route, once. Registration, the gate of the Customer Key Inaccessible state, permissions and the tests that
 * walk all routes read this table. The inaccessible state refuses a route unless the route declares otherwise.
 */

import { amsRoutes } from './ams/routes.ts';
import { accountContracts } from './http/accounts/accountContract.ts';
import {
  deleteAccountRoute,
  getAccountRoute,
  listAccountsRoute,
  patchAccountRoute,
  putAccountRoute,
  recoverAccountRoute,
} from './http/accounts/accounts.ts';
import { repairIdentityApi } from './http/accounts/repairIdentity.ts';
import { rotateAccountKeyRoute } from './http/accounts/rotateAccountKey.ts';
import { operatorDryRunRoutes, validateEncryptionApi } from './http/accounts/validateEncryption.ts';
import { attestationRoutes } from './http/audit/attestation.ts';
import { auditRoutes } from './http/audit/audit.ts';
import { claimRoutes } from './http/claims/claims.ts';
import { customerRoutes } from './http/customer/customer.ts';
import { customerLinkRoutes } from './http/customer/links.ts';
import { dataKeyRoutes } from './http/dataKeys/dataKeys.ts';
import { dataKeyUsageRoutes } from './http/dataKeys/dataKeyUsage.ts';
import { keyStatusRoutes } from './http/dataKeys/keyStatus.ts';
import { drillRoutes } from './http/drills/drills.ts';
import { eventRoutes } from './http/events/eventWebhook.ts';
import { healthRoutes } from './http/health/health.ts';
import { identityRoutes } from './http/identities/identities.ts';
import { lookNowRoute } from './http/keys/checkKey.ts';
import { keyContracts, lookContract } from './http/keys/keyContract.ts';
import { keyAccountsRoute, keyUsageRoute, rewrapRoute } from './http/keys/keys.ts';
import { openApiRoute } from './http/openApi/openApiRoute.ts';
import { overviewRoutes } from './http/overview/overview.ts';
import { ringsContract, ringsRoute, rotateRingContract, rotateRingRoute } from './http/rings/rings.ts';
import { contentKeyRoutes } from './http/secrets/contentKeys.ts';
import { jobInputRoutes } from './http/secrets/jobInputs.ts';
import { tokenKeyRoutes } from './http/secrets/tokenKeys.ts';
import { keyChangeRefusal } from './pipeline/auditedRefusals.ts';
import type { Route } from './pipeline/route.ts';

const documented: readonly Route[] = [
  {
    name: 'accountsList',
    method: 'GET',
    path: 'accounts',
    scope: 'account',
    role: 'Accounts.Read',
    whileInaccessible: 'allowed',
    contract: accountContracts.list,
    handler: listAccountsRoute,
  },
  {
    name: 'accountsGet',
    method: 'GET',
    path: 'accounts/{accountName}',
    scope: 'account',
    role: 'Accounts.Read',
    whileInaccessible: 'allowed',
    contract: accountContracts.get,
    handler: getAccountRoute,
  },
  {
    name: 'accountsPut',
    method: 'PUT',
    path: 'accounts/{accountName}',
    scope: 'account',
    role: 'Accounts.Write',
    contract: accountContracts.put,
    handler: putAccountRoute,
    auditedRefusal: keyChangeRefusal,
  },
  {
    name: 'accountsPatch',
    method: 'PATCH',
    path: 'accounts/{accountName}',
    scope: 'account',
    role: 'Accounts.Write',
    contract: accountContracts.patch,
    handler: patchAccountRoute,
    auditedRefusal: keyChangeRefusal,
  },
  {
    name: 'accountsDelete',
    method: 'DELETE',
    path: 'accounts/{accountName}',
    scope: 'account',
    role: 'Accounts.Delete',
    whileInaccessible: 'allowed',
    contract: accountContracts.delete,
    handler: deleteAccountRoute,
  },
  {
    name: 'accountsRecover',
    method: 'POST',
    path: 'accounts/{accountName}/recover',
    scope: 'account',
    role: 'Accounts.Delete',
    whilePendingDeletion: 'allowed',
    contract: accountContracts.recover,
    handler: recoverAccountRoute,
  },
  validateEncryptionApi,
  ...contentKeyRoutes,
  ...jobInputRoutes,
  ...tokenKeyRoutes,
  ...dataKeyRoutes,
  ...keyStatusRoutes,
  ...dataKeyUsageRoutes,
  {
    name: 'operatorRotateAccountKey',
    method: 'POST',
    path: 'operator/accounts/{accountName}/rotateAccountKey',
    scope: 'operator',
    role: 'Keys.Operate',
    contract: accountContracts.rotateKey,
    handler: rotateAccountKeyRoute,
  },
  repairIdentityApi,
  ...operatorDryRunRoutes,
  ...claimRoutes,
  ...customerLinkRoutes,
  ...customerRoutes,
  ...drillRoutes,
  ...identityRoutes,
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
  {
    name: 'operatorRings',
    method: 'GET',
    path: 'operator/rings',
    scope: 'operator',
    role: 'Keys.Operate',
    contract: ringsContract,
    handler: ringsRoute,
  },
  {
    name: 'operatorRotateRing',
    method: 'POST',
    path: 'operator/rings/{ring}/rotate',
    scope: 'operator',
    role: 'Keys.Operate',
    contract: rotateRingContract,
    handler: rotateRingRoute,
  },
  ...overviewRoutes,
  ...auditRoutes,
  ...attestationRoutes,
  ...eventRoutes,
  ...healthRoutes,
  ...amsRoutes,
];

/** The OpenAPI document describes every route that has a contract, and its own route. */
export const routes: readonly Route[] = [...documented, openApiRoute(() => routes)];
