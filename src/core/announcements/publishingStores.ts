/**
 * The stores, with every committed entry published. Every batch that holds an entry passes one of these six functions,
 * so no use case can forget it or has to know of it.
 */
import type { AccountRecord } from '../accounts/account.ts';
import type { AccountWriter } from '../accounts/ports.ts';
import type { ServiceAuditStore } from '../audit/ports.ts';
import type { Binding } from '../customerKey/binding.ts';
import { versionlessIdentifier } from '../customerKey/keyIdentifier.ts';
import type { WatchStore } from '../watch/ports.ts';
import type { ChainSubject } from './announcement.ts';
import type { Announcer } from './ports.ts';

/** The stores whose functions commit entries. */
export interface AuditedStores<A extends AccountWriter, B extends WatchWriter, S extends ServiceAuditWriter> {
  readonly accounts: A;
  readonly bindings: B;
  readonly serviceAudit: S;
}

export type WatchWriter = Pick<WatchStore, 'createWatch' | 'saveWatch'>;
export type ServiceAuditWriter = Pick<ServiceAuditStore, 'append'>;

export function announcing<A extends AccountWriter, B extends WatchWriter, S extends ServiceAuditWriter>(
  { accounts, bindings, serviceAudit }: AuditedStores<A, B, S>,
  { commit }: Pick<Announcer, 'commit'>,
): AuditedStores<A, B, S> {
  return {
    accounts: {
      ...accounts,
      create: (record, entries) => commit(ofAccount(record), entries, () => accounts.create(record, entries)),
      save: (record, entries) => commit(ofAccount(record.value), entries, () => accounts.save(record, entries)),
      saveWithSecret: (record, entries, secret) =>
        commit(ofAccount(record.value), entries, () => accounts.saveWithSecret(record, entries, secret)),
    },
    bindings: {
      ...bindings,
      createWatch: (watch, entries, damagedEtag) =>
        commit(ofBinding(watch.binding), entries, () => bindings.createWatch(watch, entries, damagedEtag)),
      saveWatch: (watch, entries) =>
        commit(ofBinding(watch.value.binding), entries, () => bindings.saveWatch(watch, entries)),
    },
    serviceAudit: {
      ...serviceAudit,
      append: (etag, head, entries) =>
        commit({ kind: 'service' }, entries, () => serviceAudit.append(etag, head, entries)),
    },
  };
}

const ofAccount = ({ name, owner }: AccountRecord): ChainSubject => ({ kind: 'account', name, owner });

/** The chain of a binding, by its key. */
export const ofBinding = (binding: Binding): ChainSubject => ({
  kind: 'binding',
  keyIdentifier: versionlessIdentifier(binding),
});
