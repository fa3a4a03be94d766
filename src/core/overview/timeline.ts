/**
 * One time line over all chains. A filter leaves out entries of the rows that a page reads, so a page can hold fewer
 * than requested, or none, and still not be the last. At most four calls a page.
 */

import type { AuditType } from '../audit/auditFacts.ts';
import { defined } from '../base/defined.ts';
import type { EpochMs } from '../base/time.ts';
import { type KeyIdentifier, versionlessIdentifier } from '../customerKey/keyIdentifier.ts';
import type { OverviewDeps } from './deps.ts';
import type { TimelineEntry, TimelineOrder } from './ports.ts';

export interface TimelineFilter {
  readonly owner?: string;
  /** Folded. */
  readonly account?: string;
  readonly key?: KeyIdentifier;
  readonly type?: AuditType;
}

export interface TimelineRequest {
  readonly order: TimelineOrder;
  readonly from: EpochMs;
  readonly to: EpochMs;
  readonly limit: number;
  readonly after?: string;
}

const callsPerPage = 4;
const rowsPerCall = 1000;

export async function readTimeline(
  filter: TimelineFilter,
  request: TimelineRequest,
  { overview, timelineIndex }: Pick<OverviewDeps, 'overview' | 'timelineIndex'>,
): Promise<{ readonly entries: readonly TimelineEntry[]; readonly next?: string }> {
  await overview.settled();
  const isFiltered = Object.keys(filter).length > 0;
  const entries: TimelineEntry[] = [];
  let { after } = request;
  for (let calls = 0; calls < callsPerPage; calls++) {
    const limit = isFiltered ? rowsPerCall : request.limit;
    const page = await timelineIndex.page({ ...request, limit, ...defined({ after }) });
    for (const row of page.rows) {
      after = row.at;
      if (row.entry !== undefined && passes(row.entry, filter)) entries.push(row.entry);
      if (entries.length === request.limit) return { entries, next: after };
    }
    if (page.next === undefined) return { entries };
    after = page.next;
  }
  return { entries, ...defined({ next: after }) };
}

function passes({ subject, owner, entry }: TimelineEntry, filter: TimelineFilter): boolean {
  const { key } = filter;
  const ofAccount = [entry.key, entry.before, entry.after];
  const about = subject.kind === 'account' ? ofAccount : subject.kind === 'binding' ? [subject.keyIdentifier] : [];
  return (
    (filter.owner === undefined || filter.owner === owner) &&
    (filter.account === undefined || (subject.kind === 'account' && subject.name === filter.account)) &&
    (filter.type === undefined || filter.type === entry.type) &&
    (key === undefined || about.some((text) => isAbout(text, key)))
  );
}

/** Entries of accounts name the version too. */
const isAbout = (about: string | undefined, key: KeyIdentifier): boolean =>
  about !== undefined && `${about}/`.startsWith(`${versionlessIdentifier(key)}/`);
