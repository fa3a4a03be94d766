/** The overview: accounts by what is the matter with them, keys, an owner, and one time line over all chains. */
import type { VerificationState } from '../../../core/attestation/ports.ts';
import { auditTypes } from '../../../core/audit/auditFacts.ts';
import { causes } from '../../../core/base/causes.ts';
import { defined } from '../../../core/base/defined.ts';
import { Refusal } from '../../../core/base/errors.ts';
import { parseOwner } from '../../../core/base/names.ts';
import { iso, optionalIso } from '../../../core/base/time.ts';
import { readCheckedRanges } from '../../../core/overview/checkedRanges.ts';
import { currentCounts } from '../../../core/overview/counts.ts';
import { listIndexedAccounts } from '../../../core/overview/listAccounts.ts';
import { listKeys } from '../../../core/overview/listKeys.ts';
import type { TimelineEntry } from '../../../core/overview/ports.ts';
import { readTimeline } from '../../../core/overview/timeline.ts';
import type { RouteHandler } from '../../pipeline/call.ts';
import { pageSizeOf } from '../../pipeline/requestParams.ts';
import type { Route } from '../../pipeline/route.ts';
import { overviewContracts, servedValues, states, statuses } from './overviewContract.ts';
import { renderCounts, renderListedAccount, renderListedKey } from './overviewJson.ts';
import { choiceIn, keyIn, nameIn, nextLinkTo, ownerIn, positionIn, timeIn, tokenOf } from './overviewParams.ts';
import { orders } from './timelineContract.ts';

const accountsRoute: RouteHandler = async ({ request, service }) => {
  const filter = defined({
    state: choiceIn(request, 'state', states),
    status: choiceIn(request, 'status', statuses),
    cause: choiceIn(request, 'cause', causes),
    served: choiceIn(request, 'served', servedValues),
    owner: ownerIn(request),
    key: keyIn(request, 'key', service.cloud),
    name: nameIn(request, 'name'),
  });
  const position = positionIn(request);
  const isWhole = position === undefined && Object.keys(filter).length === 0;
  const [page, verification] = await Promise.all([
    listIndexedAccounts(filter, pageSizeOf(request), position, service),
    isWhole ? service.verifications.read() : undefined,
  ]);
  const next = page.next && tokenOf(page.next);
  const head = { ...headOf(page), ...renderVerification(verification?.value) };
  return {
    status: 200,
    jsonBody: { value: page.accounts.map(renderListedAccount), ...head, ...nextLinkTo(request, next) },
  };
};

const keysRoute: RouteHandler = async ({ request, service }) => {
  const filter = defined({
    status: choiceIn(request, 'status', statuses),
    cause: choiceIn(request, 'cause', causes),
    owner: ownerIn(request),
  });
  const page = await listKeys(filter, pageSizeOf(request), positionIn(request), service);
  const next = page.next && tokenOf(page.next);
  return {
    status: 200,
    jsonBody: { value: page.keys.map(renderListedKey), ...headOf(page), ...nextLinkTo(request, next) },
  };
};

function renderVerification(state: VerificationState | undefined) {
  if (state?.last === undefined) return {};
  const { finishedAt, chains, brokenCount } = state.last;
  return { auditVerification: { finishedAt: iso(finishedAt), chains, brokenCount } };
}

type Page = Awaited<ReturnType<typeof listKeys>> | Awaited<ReturnType<typeof listIndexedAccounts>>;

const headOf = ({ counts, checkedSince }: Page) => ({
  ...(counts === undefined ? {} : { counts: renderCounts(counts) }),
  ...defined({ checkedSince: optionalIso(checkedSince) }),
});

const ownerRoute: RouteHandler = async ({ request, service }) => {
  const owner = parseOwner(request.params.owner ?? '');
  const position = positionIn(request);
  const { keys, next } = await listKeys({ owner }, pageSizeOf(request), position, service);
  const stored = (await service.overviewIndex.counts(owner))?.value;
  if (stored?.accounts === undefined)
    throw new Refusal('NotFound', `No account has the owner '${owner}'.`, { target: 'owner' });
  const { clock, policy } = service;
  const counts = currentCounts(stored, await readCheckedRanges(service.ranges, policy), clock.now(), policy);
  const link = nextLinkTo(request, next && tokenOf(next));
  return { status: 200, jsonBody: { owner, counts: renderCounts(counts), value: keys.map(renderListedKey), ...link } };
};

const dayMs = 86_400_000;
const timelineToken = /^\d[\w:.-]{0,127}$/;

const timelineRoute: RouteHandler = async ({ request, service }) => {
  const to = timeIn(request, 'to') ?? service.clock.now() + 1;
  const from = timeIn(request, 'from') ?? to - dayMs;
  if (from >= to) throw new Refusal('InvalidParameter', 'from must be before to.', { target: 'from' });
  const filter = defined({
    owner: ownerIn(request),
    account: nameIn(request, 'account'),
    key: keyIn(request, 'key', service.cloud),
    type: choiceIn(request, 'type', auditTypes),
  });
  const after = request.query.get('$skipToken') ?? undefined;
  if (after !== undefined && !timelineToken.test(after))
    throw new Refusal('InvalidParameter', '$skipToken is not one that a nextLink carried.', { target: '$skipToken' });
  const order = choiceIn(request, 'order', orders) ?? 'newest';
  const page = { order, from, to, limit: pageSizeOf(request), ...defined({ after }) };
  const { entries, next } = await readTimeline(filter, page, service);
  // The next page covers the same span of time, at any later time.
  request.query.set('from', iso(from));
  request.query.set('to', iso(to));
  return { status: 200, jsonBody: { value: entries.map(renderEntry), ...nextLinkTo(request, next) } };
};

function renderEntry({ subject, owner, entry }: TimelineEntry) {
  const about = { ...defined({ owner }) };
  switch (subject.kind) {
    case 'account':
      return { at: entry.at, subject: { kind: 'account', account: subject.name, ...about }, entry };
    case 'binding':
      return { at: entry.at, subject: { kind: 'key', key: subject.keyIdentifier, ...about }, entry };
    case 'service':
      return { at: entry.at, subject: { kind: 'service' }, entry };
  }
}

const operator = { method: 'GET', scope: 'operator' } as const;

export const overviewRoutes: readonly Route[] = [
  {
    name: 'operatorAccounts',
    ...operator,
    path: 'operator/accounts',
    role: 'Accounts.Read',
    contract: overviewContracts.accounts,
    handler: accountsRoute,
  },
  {
    name: 'operatorKeys',
    ...operator,
    path: 'operator/keys',
    role: 'Keys.Operate',
    contract: overviewContracts.keys,
    handler: keysRoute,
  },
  {
    name: 'operatorOwner',
    ...operator,
    path: 'operator/owners/{owner}',
    role: 'Keys.Operate',
    contract: overviewContracts.owner,
    handler: ownerRoute,
  },
  {
    name: 'operatorTimeline',
    ...operator,
    path: 'operator/timeline',
    role: 'Audit.Read',
    contract: overviewContracts.timeline,
    handler: timelineRoute,
  },
];
