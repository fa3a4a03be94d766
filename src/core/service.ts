/** Everything that a story of the core is told with. Wired in src/azure/compose.ts. */

import type { Announcer } from './announcements/announcer.ts';
import type { Trigger } from './audit.ts';
import type { KeyCounts, Part } from './health.ts';
import type { Cloud } from './keyIdentifier.ts';
import type { Leases } from './leases.ts';
import type { Policy } from './policy.ts';
import type {
  AccountStore,
  AnnouncementTopic,
  BindingStore,
  Claims,
  Clock,
  DailyWork,
  Directory,
  KeyVault,
  Log,
  OperationStore,
  Outbox,
  Random,
  Reach,
  ResourceStore,
  RingStore,
  SecretStore,
  ServiceAuditStore,
  SweepMark,
  VaultStore,
  VaultWork,
  WorkQueue,
} from './ports.ts';
import type { RefusedCalls } from './refusedCalls.ts';
import type { OperatorKeys } from './rings/kek.ts';
import type { Ring } from './rings/ring.ts';
import type { AccountMemory } from './secrets/memory.ts';

export interface Service {
  /** Of the message of work that is under way; absent in a call. */
  readonly trigger?: Trigger;
  readonly accounts: AccountStore;
  readonly secrets: SecretStore;
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

export interface Rings {
  readonly system: Ring;
  readonly atRest: Ring;
  readonly audit: Ring;
  /** What is sealed with these and saved by now needs no second look (rings/late.ts). */
  readonly isSure: () => boolean;
}
