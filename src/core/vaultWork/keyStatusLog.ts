/** Log lines about one customer's key, with its owner: alerts split by both. Metrics have no names in their labels. */
import { defined } from '../base/defined.ts';
import { versionedIdentifier } from '../customerKey/keyIdentifier.ts';
import type { Watch } from '../watch/watch.ts';
import type { VaultWorkDeps } from './deps.ts';

/** @param owner of an account that the look used; undefined: the vault did not answer another key's look before */
export function logKeyStatus(
  before: Watch,
  after: Watch,
  owner: string | undefined,
  { log, policy }: Pick<VaultWorkDeps, 'log' | 'policy'>,
): void {
  const longestUseMs = (policy.leaseSeconds + policy.leaseGraceSeconds) * 1000;
  for (const [version, { status, cause, since, evidenceAt }] of Object.entries(after.versions)) {
    const about = defined({ owner, key: versionedIdentifier(after.binding, version), cause });
    const from = before.versions[version]?.status;
    if (from !== undefined && from !== status)
      log.warn('The status of a customer key changed', { ...about, from, to: status });
    const sinceMs = evidenceAt - since;
    if (status === 'Unreachable' && sinceMs > longestUseMs)
      log.warn('A customer key is unreachable for longer than lease and grace', { ...about, sinceMs });
  }
}
