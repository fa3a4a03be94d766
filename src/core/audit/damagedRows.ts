/**
 * Reports rows that are not as Keyward wrote them: to the log, as a metric, and in the service's own chain (INV-13).
 */
import { addressText, type RowAddress } from '../base/damagedRow.ts';
import { describeError } from '../base/errors.ts';
import { measure } from '../base/metrics.ts';
import { rateLimiter } from '../base/rateLimiter.ts';
import type { AuditDeps } from './deps.ts';
import { recordForService, type ServiceAuditDeps } from './serviceAudit.ts';

const logEveryMs = 60_000;
/** A damaged row is read every minute, and an entry per read would fill the chain. */
const auditEveryMs = 24 * 3_600_000;
const keyward = { kind: 'keyward', id: 'integrity' } as const;

export type ReportDamage = (address: RowAddress) => void;

export function createDamageReporter(deps: ServiceAuditDeps & Pick<AuditDeps, 'log'>): ReportDamage {
  const { clock, log } = deps;
  const [logged, audited] = [rateLimiter(clock, logEveryMs), rateLimiter(clock, auditEveryMs)];

  async function audit(row: string): Promise<void> {
    try {
      await recordForService([{ type: 'StateDamaged', actor: keyward, row }], deps);
    } catch (error) {
      audited.release([row]);
      log.warn('A damaged row was not audited', { row, error: describeError(error) });
    }
  }

  return (address) => {
    const row = addressText(address);
    if (logged.admit([row]).length > 0) {
      log.error('A stored row is not as Keyward wrote it', { row });
      measure(log, 'keyward.damagedRows', 1, {});
    }
    // The caller does not wait: it has failed, or continues without the row.
    if (audited.admit([row]).length > 0) void audit(row);
  };
}
