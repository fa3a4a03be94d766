/** Table requests of a page of 100 accounts of two keys: the directory, each record, and each watch once. */
import { listAccounts } from '../../src/core/accounts/readAccount.ts';
import type { Bench } from '../report.ts';
import { bindAll } from './seedShared.ts';
import { startWorld } from './world.ts';

const accounts = 100;
const keys = 2;

const listPages: Bench = async ({ figure, progress }) => {
  const world = await startWorld();
  progress(`lists: creating ${accounts} accounts of ${keys} keys`);
  await bindAll(accounts, keys, world);
  const before = world.tableRequests();
  const page = await listAccounts(accounts, undefined, world.service);
  const requests = world.tableRequests() - before;
  if (page.accounts.length !== accounts) throw new Error(`The page has ${page.accounts.length} accounts.`);
  figure('scale.listPageRequests', requests, 'requests', { atMost: 103 });
};

export default listPages;
