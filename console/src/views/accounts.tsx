/** Every account, page by page as the reader scrolls. */
import { useInfiniteQuery } from '@tanstack/react-query';
import { type Account, bodyOf, skipTokenOf } from '../api.ts';
import { useConsole } from '../context.ts';
import { Link } from '../navigation.tsx';
import { type Column, DataTable } from '../parts/dataTable.tsx';
import { Empty, Failure, Loading } from '../parts/states.tsx';
import { Status } from '../parts/status.tsx';
import { Ago } from '../parts/time.tsx';

const columns: readonly Column<Account>[] = [
  { name: 'Account', width: '2fr', cell: ({ name }) => <Link to={`/accounts/${name}`}>{name}</Link> },
  { name: 'Owner', width: '1.2fr', cell: ({ properties }) => properties.owner },
  { name: 'State', width: '1.5fr', cell: ({ properties }) => <Status of={properties.state} /> },
  { name: 'Key status', width: '1.2fr', cell: ({ properties: { encryption } }) => <KeyStatus of={encryption} /> },
  {
    name: 'Since',
    width: '1.2fr',
    cell: ({ properties: { encryption } }) =>
      encryption.type === 'CustomerKey' ? <Ago at={encryption.since} /> : <span>–</span>,
  },
];

const KeyStatus = ({ of }: { of: Account['properties']['encryption'] }) =>
  of.type === 'CustomerKey' ? <Status of={of.status} /> : <span className="muted">system key</span>;

export default function Accounts() {
  const { api } = useConsole();
  const { data, error, refetch, hasNextPage, fetchNextPage, isFetchingNextPage } = useInfiniteQuery({
    queryKey: ['accounts'],
    queryFn: ({ pageParam }) =>
      bodyOf(
        api.GET('/api/accounts', {
          params: { query: { $top: 100, ...(pageParam === undefined ? {} : { $skipToken: pageParam }) } },
        }),
      ),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: ({ nextLink }) => skipTokenOf(nextLink),
  });
  if (error !== null) return <Failure error={error} retry={refetch} />;
  if (data === undefined) return <Loading what="accounts" />;
  const rows = data.pages.flatMap(({ value }) => value);
  if (rows.length === 0)
    return <Empty title="There is no account.">Create the first one: PUT /api/accounts/&lt;name&gt;.</Empty>;
  return (
    <DataTable
      label="Accounts"
      columns={columns}
      rows={rows}
      keyOf={({ name }) => name}
      onEnd={() => {
        if (hasNextPage && !isFetchingNextPage) void fetchNextPage();
      }}
    />
  );
}
