/** What happened, over the chains of all accounts, all keys and the service. */
import { type Api, bodyOf, type Schemas } from '../api.ts';
import { useConsole } from '../context.ts';
import { type List, useList } from '../list.ts';
import { Link, useAddress } from '../navigation.tsx';
import { type Column, DataTable } from '../parts/dataTable.tsx';
import { EntryFacts, entryActor } from '../parts/entry.tsx';
import { ChoiceFilter, filtersOf, TextFilter, TimeFilter } from '../parts/filters.tsx';
import { KeyLink } from '../parts/links.tsx';
import { Empty, Failure, Loading } from '../parts/states.tsx';
import { Time } from '../parts/time.tsx';

type Entry = Schemas['TimelineEntry'];

const columns: readonly Column<Entry>[] = [
  { name: 'At', width: '190px', cell: ({ at }) => <Time at={at} /> },
  { name: 'Of', width: '1.6fr', cell: ({ subject }) => <Subject of={subject} /> },
  { name: 'Type', width: '210px', cell: ({ entry }) => ('type' in entry ? entry.type : 'unreadable row') },
  { name: 'Actor', width: '1.2fr', cell: ({ entry }) => entryActor(entry) },
  { name: 'Facts', width: '2.2fr', cell: ({ entry }) => <EntryFacts entry={entry} /> },
];

function Subject({ of: { kind, account, key } }: { of: Entry['subject'] }) {
  if (account !== undefined) return <Link to={`/accounts/${account}`}>{account}</Link>;
  if (key !== undefined) return <KeyLink of={key} />;
  return <span>{kind}</span>;
}

const orders = ['newest', 'oldest'];
const types = [
  'CustomerKeyInaccessible',
  'CustomerKeyRestored',
  'VerdictChanged',
  'AccountCreated',
  'AccountDeleted',
  'AccountKeyChanged',
  'AccountKeyRewrapped',
  'NewVersionFound',
  'RotationStarted',
  'RotationCompleted',
  'CallRefused',
  'SecretsRevealed',
  'StateDamaged',
];

export function timelineList(api: Api, query: URLSearchParams): List<Schemas['Timeline']> {
  const filters = filtersOf(query, ['from', 'to', 'order', 'type', 'owner', 'account', 'key']);
  return {
    key: ['timeline', filters],
    read: (page) => bodyOf(api.GET('/api/operator/timeline', { params: { query: { ...page, ...filters } as never } })),
  };
}

export default function Timeline() {
  const { api } = useConsole();
  const { query } = useAddress();
  const list = timelineList(api, query);
  const { rows, error, refetch, more, isComplete } = useList<Entry, Schemas['Timeline']>(list);
  return (
    <>
      <div className="filters">
        <TimeFilter name="from" label="From" />
        <TimeFilter name="to" label="To" />
        <ChoiceFilter name="type" label="Type" choices={types} />
        <ChoiceFilter name="order" label="Order" choices={orders} />
        <TextFilter name="owner" label="Owner" />
        <TextFilter name="account" label="Account" />
        <TextFilter name="key" label="Key identifier" />
      </div>
      {error === null ? null : <Failure error={error} retry={refetch} />}
      {rows === undefined && error === null ? <Loading what="the timeline" /> : null}
      {rows?.length === 0 && isComplete ? (
        <Empty title="Nothing happened in this time.">
          Without a time, the timeline shows the last 24 hours. Choose an earlier time, or{' '}
          <Link to="/timeline">remove the filters</Link>.
        </Empty>
      ) : null}
      {rows === undefined || rows.length === 0 ? null : (
        <DataTable
          label="Timeline"
          columns={columns}
          rows={rows}
          keyOf={({ entry, at }) => `${'chain' in entry ? entry.chain : at} ${entry.sequence}`}
          onEnd={more}
        />
      )}
    </>
  );
}
