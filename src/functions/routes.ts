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
import { contentKeyRoutes } from './contentKeys.ts';
import type { RouteHandler } from './http.ts';
import { jobInputRoutes } from './jobInputs.ts';
import { keyAccountsRoute, keyUsageRoute, rewrapRoute } from './keys.ts';
import { lookNowRoute } from './looks.ts';
import { rotateAccountKeyRoute } from './rotateAccountKey.ts';
import { tokenKeyRoutes } from './tokenKeys.ts';

export type Role =
  | 'Accounts.Read'
  | 'Accounts.Write'
  | 'Secrets.Read'
  | 'Secrets.Write'
  | 'Secrets.Reveal'
  | 'Secrets.Resolve'
  | 'Keys.Operate';

export interface Route {
  /** The function's name in Azure. */
  readonly name: string;
  readonly method: 'GET' | 'PUT' | 'PATCH' | 'POST' | 'DELETE';
  /** Under `/api`. */
  readonly path: string;
  /** `account`: a call on one account, or on accounts; `operator`: the operator's own; `public`: open to all. */
  readonly scope: 'account' | 'operator' | 'public';
  readonly role: Role;
  /** INV-3: exactly account GET, LIST and DELETE. */
  readonly whileInaccessible?: 'allowed';
  /**
   * `beside`: the handler begins while the gate is reading the account, and does nothing but read until it has the account from
   * the gate; its answer waits for the gate. Otherwise the gate comes first.
   */
  readonly gate?: 'beside';
  readonly handler: RouteHandler;
}

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
  ...contentKeyRoutes,
  ...jobInputRoutes,
  ...tokenKeyRoutes,
  {
    ...{ name: 'operatorRotateAccountKey', method: 'POST', path: 'operator/accounts/{accountName}/rotateAccountKey' },
    ...{ scope: 'operator', role: 'Keys.Operate', handler: rotateAccountKeyRoute },
  },
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
];
