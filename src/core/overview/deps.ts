import type { AnnouncementsDeps } from '../announcements/deps.ts';
import type { RotationDeps } from '../rotation/deps.ts';
import type { RangeStore } from '../vaultWork/ports.ts';
import type { OverviewWriter } from './overviewWriter.ts';
import type { OverviewIndex, TimelineIndex } from './ports.ts';

export interface OverviewDeps extends Omit<RotationDeps, 'dailyQueue' | 'vaults'> {
  readonly vaults: RotationDeps['vaults'] & AnnouncementsDeps['vaults'];
  readonly overviewIndex: OverviewIndex;
  readonly timelineIndex: TimelineIndex;
  readonly ranges: RangeStore;
  readonly overview: OverviewWriter;
  /** Resolves when changes have gathered that the overview writes together. */
  readonly gather: () => Promise<void>;
}
