/** The routes of accounts. */
import { keyChangeRefusal } from '../../pipeline/auditedRefusals.ts';
import type { Route } from '../../pipeline/route.ts';
import { accountContracts } from './accountContract.ts';
import {
  deleteAccountRoute,
  getAccountRoute,
  listAccountsRoute,
  patchAccountRoute,
  putAccountRoute,
  recoverAccountRoute,
} from './accounts.ts';
import { rotateAccountKeyRoute } from './rotateAccountKey.ts';

export const accountRoutes: readonly Route[] = [
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
  {
    name: 'operatorRotateAccountKey',
    method: 'POST',
    path: 'operator/accounts/{accountName}/rotateAccountKey',
    scope: 'operator',
    role: 'Keys.Operate',
    contract: accountContracts.rotateKey,
    handler: rotateAccountKeyRoute,
  },
];
