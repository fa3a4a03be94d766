import type { AuditDeps } from '../audit/deps.ts';
import type { WorkLock } from '../base/workLock.ts';
import type { WorkQueue } from '../base/workQueue.ts';
import type { AnnouncementTopic, Announcer, Outbox } from './ports.ts';

/** Publishing what waits in the outbox, in the background. */
export interface AnnouncementWork {
  readonly visit: 'announcements';
  readonly after?: string | undefined;
}

export interface AnnouncementsDeps extends AuditDeps {
  readonly vaults: WorkLock;
  readonly outbox: Outbox;
  /** Absent where no topic is set: then nothing is published, and nothing is written to the outbox. */
  readonly topic?: AnnouncementTopic | undefined;
  readonly announcer?: Announcer | undefined;
  readonly dailyQueue: WorkQueue<AnnouncementWork>;
}
