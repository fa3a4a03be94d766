/**
 * The stores, with every committed entry published. Every batch that holds an entry passes one of these five functions,
 * so no use case can forget it or has to know of it.
 */
import type { AccountRecord } from '../accounts/account.ts';
import type { AccountsDeps } from '../accounts/deps.ts';
import type { Binding } from '../customerKey/binding.ts';
import { versionlessIdentifier } from '../customerKey/keyIdentifier.ts';
import type { ChainSubject } from './announcement.ts';
import type { Announcer } from './ports.ts';

export type AnnouncedStores = Pick<AccountsDeps, 'accounts' | 'bindings' | 'serviceAudit'>;

export function announcing(
  { accounts, bindings, serviceAudit }: AnnouncedStores,
  { commit }: Pick<Announcer, 'commit'>,
): AnnouncedStores {
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
