/** Complete chains, for laboratories and tests; the app reads pages. */
import type { AuditEntry } from '../core/audit/auditEntry.ts';
import { ownChain } from '../core/audit/chains.ts';
import type { ChainPage, ChainPageRequest } from '../core/audit/ports.ts';
import type { Service } from '../core/service.ts';

async function entriesOf(page: (page: ChainPageRequest) => Promise<ChainPage>): Promise<AuditEntry[]> {
  const entries: AuditEntry[] = [];
  let after: { after?: string } = {};
  for (;;) {
    const { rows, next } = await page({ limit: 1000, ...after });
    entries.push(...rows.map(({ entry }) => entry as AuditEntry));
    if (next === undefined) return entries;
    after = { after: next };
  }
}

export const accountEntries = (name: string, instanceId: string, { accounts }: Pick<Service, 'accounts'>) =>
  entriesOf((page) => accounts.audit(name, instanceId, page));

export const bindingEntries = (bindingId: string, { bindings }: Pick<Service, 'bindings'>) =>
  entriesOf((page) => bindings.audit(bindingId, page));

export const ownEntries = (service: Pick<Service, 'serviceAudit'>) => entriesOf(ownChain(service).page);
