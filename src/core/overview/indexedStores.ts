/**
 * The stores, with every change noted for the overview. Every batch that holds an entry passes here, and so does every
 * new state.
 */
import type { AccountWriter } from '../accounts/ports.ts';
import type { AuditedStores, ServiceAuditWriter, WatchWriter } from '../announcements/publishingStores.ts';
import type { OverviewRecorder } from './overviewWriter.ts';

export function indexing<A extends AccountWriter, B extends WatchWriter, S extends ServiceAuditWriter>(
  { accounts, bindings, serviceAudit }: AuditedStores<A, B, S>,
  overview: OverviewRecorder,
): AuditedStores<A, B, S> {
  return {
    accounts: {
      ...accounts,
      async create(record, entries) {
        const etag = await accounts.create(record, entries);
        overview.createdAccount(record, entries);
        return etag;
      },
      async save(record, entries) {
        const etag = await accounts.save(record, entries);
        overview.account(record.value, entries);
        return etag;
      },
      async saveWithSecret(record, entries, secret) {
        const etag = await accounts.saveWithSecret(record, entries, secret);
        overview.account(record.value, entries);
        return etag;
      },
    },
    bindings: {
      ...bindings,
      async createWatch(watch, entries, damagedEtag) {
        await bindings.createWatch(watch, entries, damagedEtag);
        overview.createdWatch(watch, entries);
      },
      async saveWatch(watch, entries) {
        const saved = await bindings.saveWatch(watch, entries);
        overview.watch(watch.value, entries);
        return saved;
      },
    },
    serviceAudit: {
      ...serviceAudit,
      async append(etag, head, entries) {
        await serviceAudit.append(etag, head, entries);
        overview.service(entries);
      },
    },
  };
}
