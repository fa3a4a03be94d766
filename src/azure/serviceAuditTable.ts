/** The service's own audit chain. */

import type { ServiceAuditStore, ServiceHead } from '../core/audit/ports.ts';
import { serviceChain } from '../core/audit/serviceAudit.ts';
import { auditPage, auditRow, saveWithEntries } from './auditRows.ts';
import { rowOf } from './rowForm.ts';
import type { OpenTable } from './tables.ts';

export const headKey = { partitionKey: serviceChain, rowKey: 'head' };

export function createServiceAuditStore(open: OpenTable): ServiceAuditStore {
  const table = open('service');

  return {
    head: () => table.readIfAuthentic<ServiceHead>(headKey),
    async append(etag, head, entries) {
      const rows = entries.map((entry) => auditRow(serviceChain, entry));
      await saveWithEntries(table, rowOf(headKey, head), etag, rows);
    },
    audit: (page) => auditPage(table, serviceChain, serviceChain, page),
  };
}
