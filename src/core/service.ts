/** Everything that a story of the core is told with. Wired in src/azure/compose.ts. */

import type { AccountMemory } from './accounts/accountCache.ts';
import type { Leases } from './accounts/leases.ts';
import type { AccountStore, Directory } from './accounts/ports.ts';
import type { RefusedCalls } from './accounts/refusedCalls.ts';
import type { OperationStore, ResourceStore } from './ams/ports.ts';
import type { Announcer } from './announcements/backgroundPublisher.ts';
import type { AnnouncementTopic, Outbox } from './announcements/ports.ts';
import type { Trigger } from './audit/auditEntry.ts';
import type { ServiceAuditStore } from './audit/ports.ts';
import type { Clock, Random } from './base/effects.ts';
import type { Log } from './base/log.ts';
import type { Policy } from './base/policy.ts';
import type { WorkQueue } from './base/workQueue.ts';
import type { Cloud } from './customerKey/keyIdentifier.ts';
import type { Claims, KeyVault, Reach } from './customerKey/ports.ts';
import type { DailyWork } from './dailyPass.ts';
import type { SeenMarks } from './dataKeys/lastSeen.ts';
import type { DataKeyUseStore, StatusKeyStore } from './dataKeys/ports.ts';
import type { StatusKeys } from './dataKeys/statusKeys.ts';
import type { KeyCounts, Part } from './health.ts';
import type { OperatorKeys } from './rings/kek.ts';
import type { RingStore } from './rings/ports.ts';
import type { Rings } from './rings/ring.ts';
import type { SecretStore } from './secrets/ports.ts';
import type { SweepMark } from './vaultWork/ports.ts';
import type { BindingStore, VaultStore, VaultWork } from './watch/ports.ts';

export interface Service {
  /** Of the message of work that is under way; absent in a call. */
  readonly trigger?: Trigger;
  readonly accounts: AccountStore;
  readonly secrets: SecretStore;
  readonly dataKeyUse: DataKeyUseStore;
  readonly seenMarks: SeenMarks;
  readonly statusKeyStore: StatusKeyStore;
  readonly statusKeys: StatusKeys;
  readonly resources: ResourceStore;
  readonly operations: OperationStore;
  readonly bindings: BindingStore;
  readonly vaults: VaultStore;
  readonly directory: Directory;
  readonly claims: Claims;
  readonly ringStore: RingStore;
  readonly serviceAudit: ServiceAuditStore;
  readonly sweepMark: SweepMark;
  readonly outbox: Outbox;
  /** Absent where no topic is set: then nothing is announced, and nothing written to the outbox. */
  readonly topic?: AnnouncementTopic | undefined;
  readonly announcer?: Announcer | undefined;
  readonly queue: WorkQueue<VaultWork>;
  readonly dailyQueue: WorkQueue<DailyWork>;
  readonly keyVault: KeyVault;
  readonly clock: Clock;
  /** Lets well under a second pass in a message, where longer waits are delayed messages; seconds where a caller asks for it. */
  readonly pause: (ms: number) => Promise<void>;
  readonly random: Random;
  readonly log: Log;
  readonly policy: Policy;
  readonly cloud: Cloud;
  readonly homeTenantId: string;
  /** The tag that a customer key must carry, with the account's owner as its value. */
  readonly ownerTag: string | undefined;
  readonly operatorKeys: OperatorKeys;
  /**
   * As this process has them, read again once a minute; `fresh`: as they are stored after the call.
   * @throws Unavailable while there are none yet, or none that are fresh.
   */
  readonly rings: (read?: 'fresh') => Promise<Rings>;
  /** One for the process: unwrapped account keys are nowhere else. */
  readonly leases: Leases;
  readonly memory: AccountMemory;
  readonly refusedCalls: RefusedCalls;
  /** An operator-owned key that every identity of ours may unwrap with: shows whether a denial is ours. */
  readonly controlLook: (reach: Pick<Reach, 'identity' | 'tenantId'>) => Promise<'good' | 'failed'>;
  /** What readiness asks. */
  readonly parts: readonly Part[];
  readonly keyCounts: () => Promise<KeyCounts>;
  /** Messages in the poison queues, about. */
  readonly poisoned: () => Promise<number>;
}
