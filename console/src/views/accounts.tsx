/** Accounts by their state. The filters are in the address, so a link shows what its sender saw. */
import { type Api, bodyOf, type Schemas } from '../api.ts';
import { useConsole } from '../context.ts';
import { type List, useList } from '../list.ts';
import { Link, useAddress } from '../navigation.tsx';
import { Counts } from '../parts/counts.tsx';
import { type Column, DataTable } from '../parts/dataTable.tsx';
import { ChoiceFilter, filtersOf, TextFilter } from '../parts/filters.tsx';
import { OwnerLink } from '../parts/links.tsx';
import { Empty, Failure, Loading } from '../parts/states.tsx';
import { Status } from '../parts/status.tsx';
import { Ago } from '../parts/time.tsx';

type Listed = Schemas['OverviewAccount'];

const states = ['Enabled', 'CustomerKeyInaccessible', 'PendingDeletion'];
const served = ['yes', 'untilLeaseEnd', 'no'];

export const statuses = ['Accessible', 'Suspect', 'Inaccessible', 'Unreachable', 'Unknown'] as const;

const columns: readonly Column<Listed>[] = [
  { name: 'Account', width: '1.6fr', cell: ({ name }) => <Link to={`/accounts/${name}`}>{name}</Link> },
  { name: 'Owner', width: '1fr', cell: ({ owner }) => <OwnerLink of={owner} /> },
  { name: 'State', width: '1.6fr', cell: ({ state }) => <Status of={state} /> },
  {
    name: 'Key status',
    width: '1fr',
    cell: ({ status }) => (status === undefined ? <span className="muted">system key</span> : <Status of={status} />),
  },
  { name: 'Data plane', width: '1.4fr', cell: ({ served }) => (served === undefined ? '–' : <Status of={served} />) },
  { name: 'Cause', width: '1.4fr', cell: ({ cause }) => cause ?? '–' },
  { name: 'Since', width: '1fr', cell: ({ since }) => <Ago at={since} /> },
];

export function accountsList(api: Api, query: URLSearchParams): List<Schemas['OverviewAccountList']> {
  const filters = filtersOf(query, ['state', 'status', 'served', 'cause', 'owner', 'key', 'name']);
  return {
    key: ['accounts', filters],
    // The API checks each value, and names the filter that it refuses.
    read: (page) => bodyOf(api.GET('/api/operator/accounts', { params: { query: { ...page, ...filters } as never } })),
    refetchInterval: 15_000,
  };
}

export default function Accounts() {
  const { api } = useConsole();
  const { query } = useAddress();
  const list = accountsList(api, query);
  const { rows, first, error, refetch, more, isComplete } = useList<Listed, Schemas['OverviewAccountList']>(list);
  return (
    <>
      <div className="filters">
        <ChoiceFilter name="state" label="State" choices={states} />
        <ChoiceFilter name="status" label="Key status" choices={statuses} />
        <ChoiceFilter name="served" label="Data plane" choices={served} />
        <TextFilter name="owner" label="Owner" />
        <TextFilter name="name" label="Name begins with" />
        <TextFilter name="cause" label="Cause" />
        <TextFilter name="key" label="Key identifier" />
      </div>
      {first?.counts === undefined ? null : (
        <section className="cards" aria-label="Counts">
          <div className="card">
            <span className="figure">{first.counts.accounts.toLocaleString()}</span> accounts
          </div>
          <div className="card">
            <h2>State</h2>
            <Counts of={first.counts.state} to={(value) => `/accounts?state=${value}`} />
          </div>
          <div className="card">
            <h2>Key status</h2>
            <Counts of={first.counts.status} to={(value) => `/accounts?status=${value}`} />
          </div>
        </section>
      )}
      {error === null ? null : <Failure error={error} retry={refetch} />}
      {rows === undefined && error === null ? <Loading what="accounts" /> : null}
      {rows?.length === 0 && isComplete ? (
        <Empty title="No account fits.">
          {query.size === 0 ? (
            <>Create the first one: PUT /api/accounts/&lt;name&gt;.</>
          ) : (
            <Link to="/accounts">Remove the filters.</Link>
          )}
        </Empty>
      ) : null}
      {rows === undefined || rows.length === 0 ? null : (
        <DataTable label="Accounts" columns={columns} rows={rows} keyOf={({ accountId }) => accountId} onEnd={more} />
      )}
    </>
  );
}
