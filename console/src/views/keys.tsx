/** Customer keys: status now and over the last 24 hours, versions, accounts. */
import { useQuery } from '@tanstack/react-query';
import { type Api, bodyOf, type Schemas, skipTokenOf } from '../api.ts';
import { useConsole } from '../context.ts';
import { type List, useList } from '../list.ts';
import { Link, useAddress } from '../navigation.tsx';
import { type Column, DataTable } from '../parts/dataTable.tsx';
import { ChoiceFilter, filtersOf, TextFilter } from '../parts/filters.tsx';
import { accountsPath, KeyLink, OwnerLink } from '../parts/links.tsx';
import { Empty, Failure, Loading } from '../parts/states.tsx';
import { Status } from '../parts/status.tsx';
import { StatusStrip, spansOf } from '../parts/statusStrip.tsx';
import { Ago } from '../parts/time.tsx';
import { statuses } from './accounts.tsx';

export type Key = Schemas['OverviewKey'];
type Change = Schemas['TimelineEntry'];

/** Changes of status within the last 24 hours, of one key or of all. */
export function useChanges(api: Api, key?: string) {
  return useQuery({
    queryKey: ['changes', key],
    queryFn: () => changesOf(api, key),
    refetchInterval: 15_000,
  });
}

/** A busy day has more changes than a strip can show. */
const maxPages = 5;

async function changesOf(api: Api, key: string | undefined): Promise<Change[]> {
  const changes: Change[] = [];
  let skipToken: string | undefined;
  for (let page = 0; page < maxPages; page++) {
    const filter = key === undefined ? {} : { key };
    const position = skipToken === undefined ? {} : { $skipToken: skipToken };
    const query = { type: 'VerdictChanged', $top: 100, ...filter, ...position } as const;
    const { value, nextLink } = await bodyOf(api.GET('/api/operator/timeline', { params: { query } }));
    changes.push(...value);
    skipToken = skipTokenOf(nextLink);
    if (skipToken === undefined) break;
  }
  return changes;
}

/** Nothing is drawn before the changes are known: a strip of one color would say that there was none. */
function Strip({ of: { key, status }, changes }: { of: Key; changes: readonly Change[] | undefined }) {
  if (changes === undefined) return null;
  const ofKey = changes.filter(({ subject }) => subject.key === key);
  return <StatusStrip spans={spansOf(ofKey, status, Date.now())} />;
}

function columnsOf(changes: readonly Change[] | undefined): readonly Column<Key>[] {
  return [
    { name: 'Key', width: '2.4fr', cell: ({ key }) => <KeyLink of={key} /> },
    { name: 'Owner', width: '1fr', cell: ({ owner }) => <OwnerLink of={owner} /> },
    { name: 'Status', width: '1fr', cell: ({ status }) => <Status of={status} /> },
    { name: 'Since', width: '1fr', cell: ({ since }) => <Ago at={since} /> },
    {
      name: 'Last 24 hours',
      width: '1.6fr',
      cell: (key) => <Strip of={key} changes={changes} />,
    },
    {
      name: 'Accounts',
      width: '0.7fr',
      cell: ({ key, accounts }) => <Link to={accountsPath(key)}>{accounts}</Link>,
    },
    { name: 'Versions', width: '1.6fr', cell: (key) => <Versions of={key} /> },
    { name: 'Next check', width: '1fr', cell: ({ nextCheckAt }) => <Ago at={nextCheckAt} /> },
  ];
}

function Versions({ of: { versions, rotation } }: { of: Key }) {
  const inUse = versions.filter((one) => one.inUse).length;
  const safe = versions.filter((one) => one.safeToDisable).length;
  return (
    <span>
      {inUse} in use, {safe} safe to disable{rotation === undefined ? '' : ', a rotation is in progress'}
    </span>
  );
}

export function keysList(api: Api, query: URLSearchParams): List<Schemas['OverviewKeyList']> {
  const filters = filtersOf(query, ['status', 'cause', 'owner']);
  return {
    key: ['keys', filters],
    read: (page) => bodyOf(api.GET('/api/operator/keys', { params: { query: { ...page, ...filters } as never } })),
    refetchInterval: 15_000,
  };
}

export default function Keys() {
  const { api } = useConsole();
  const { query } = useAddress();
  const list = keysList(api, query);
  const { rows, error, refetch, more, isComplete } = useList<Key, Schemas['OverviewKeyList']>(list);
  const changes = useChanges(api);
  return (
    <>
      <div className="filters">
        <ChoiceFilter name="status" label="Status" choices={statuses} />
        <TextFilter name="owner" label="Owner" />
        <TextFilter name="cause" label="Cause" />
      </div>
      {error === null ? null : <Failure error={error} retry={refetch} />}
      {changes.error === null ? null : <Failure error={changes.error} retry={changes.refetch} />}
      {rows === undefined && error === null ? <Loading what="keys" /> : null}
      {rows?.length === 0 && isComplete ? (
        <Empty title="No customer key fits.">
          <Link to="/keys">Show all keys.</Link> An account gets a customer key with PUT or PATCH.
        </Empty>
      ) : null}
      {rows === undefined || rows.length === 0 ? null : (
        <DataTable
          label="Keys"
          columns={columnsOf(changes.data)}
          rows={rows}
          keyOf={({ bindingId }) => bindingId}
          onEnd={more}
        />
      )}
    </>
  );
}
