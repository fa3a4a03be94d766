/** The dependencies of all capabilities together. src/azure/compose.ts wires them; no capability imports this file. */
import type { AccountsDeps } from './accounts/deps.ts';
import type { AmsDeps } from './ams/deps.ts';
import type { AnnouncementsDeps } from './announcements/deps.ts';
import type { AttestationDeps } from './attestation/deps.ts';
import type { WorkQueue } from './base/workQueue.ts';
import type { CustomerPageDeps } from './customerPage/ports.ts';
import type { DailyWork } from './dailyPass.ts';
import type { DataKeysDeps } from './dataKeys/deps.ts';
import type { DrillDeps } from './drill.ts';
import type { ErasureDeps } from './erasure/ports.ts';
import type { HealthDeps } from './health.ts';
import type { OverviewDeps } from './overview/deps.ts';
import type { ResealDeps } from './reseal/deps.ts';
import type { RingsDeps } from './rings/deps.ts';
import type { SecretsDeps } from './secrets/deps.ts';
import type { VaultWorkDeps } from './vaultWork/deps.ts';

type All = AccountsDeps &
  AmsDeps &
  AnnouncementsDeps &
  AttestationDeps &
  CustomerPageDeps &
  DataKeysDeps &
  DrillDeps &
  ErasureDeps &
  HealthDeps &
  OverviewDeps &
  RingsDeps &
  SecretsDeps &
  VaultWorkDeps &
  Pick<ResealDeps, 'rowRenewal'>;

export interface Service extends Omit<All, 'dailyQueue'> {
  readonly dailyQueue: WorkQueue<DailyWork>;
}
