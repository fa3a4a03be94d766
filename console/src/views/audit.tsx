/** The chain of the service or of one account: its entries, and its verification with progress. */
import { Button } from '@fluentui/react-components';
import { useState } from 'react';
import { type Api, bodyOf, type Schemas } from '../api.ts';
import { useConsole } from '../context.ts';
import { type ListPage, useList } from '../list.ts';
import { useAddress } from '../navigation.tsx';
import { type Column, DataTable } from '../parts/dataTable.tsx';
import { EntryFacts, entryActor } from '../parts/entry.tsx';
import { TextFilter } from '../parts/filters.tsx';
import { Empty, Failure, Loading } from '../parts/states.tsx';
import { Status } from '../parts/status.tsx';
import { Time } from '../parts/time.tsx';

type Entry = Schemas['AuditEntryList']['value'][number];
type Verification = Schemas['AuditVerification'];

const columns: readonly Column<Entry>[] = [
  { name: 'Number', width: '80px', cell: ({ sequence }) => sequence },
  { name: 'At', width: '200px', cell: (entry) => ('at' in entry ? <Time at={entry.at} /> : '–') },
  { name: 'Type', width: '1.2fr', cell: (entry) => ('type' in entry ? entry.type : 'The row is not an audit entry.') },
  {
    name: 'Actor',
    width: '1.4fr',
    cell: entryActor,
  },
  { name: 'Facts', width: '2.4fr', cell: (entry) => <EntryFacts entry={entry} /> },
];

export default function Audit() {
  const { query } = useAddress();
  const account = query.get('account') ?? '';
  return (
    <>
      <div className="filters">
        <TextFilter name="account" label="Account" hint="Empty: the chain of the service" />
      </div>
      <AuditOf key={account} account={account} />
    </>
  );
}

export function AuditOf({ account }: { account: string }) {
  const { api } = useConsole();
  const { rows, error, refetch, more } = useList<Entry, Schemas['AuditEntryList']>(['audit', account], {
    read: (page) => entriesOf(api, account, page),
  });
  return (
    <>
      <Verify account={account} />
      {error !== null ? <Failure error={error} retry={refetch} /> : null}
      {rows === undefined && error === null ? <Loading what="the audit" /> : null}
      {rows?.length === 0 ? <Empty title="The chain has no entry.">Entries appear with the first change.</Empty> : null}
      {rows === undefined || rows.length === 0 ? null : (
        <DataTable
          label="Audit entries"
          columns={columns}
          rows={rows}
          keyOf={({ sequence }) => String(sequence)}
          onEnd={more}
        />
      )}
    </>
  );
}

function entriesOf(api: Api, account: string, query: ListPage) {
  return account === ''
    ? bodyOf(api.GET('/api/operator/audit', { params: { query } }))
    : bodyOf(
        api.GET('/api/operator/accounts/{accountName}/audit', { params: { path: { accountName: account }, query } }),
      );
}

/** A verification of a long chain takes several calls: each begins after the last entry that the call before it verified. */
function Verify({ account }: { account: string }) {
  const { api } = useConsole();
  const [isRunning, setRunning] = useState(false);
  const [seen, setSeen] = useState<{ entries: number; last?: Verification; error?: Error }>({ entries: 0 });
  const run = async () => {
    setRunning(true);
    setSeen({ entries: 0 });
    try {
      let entries = 0;
      let last: Verification | undefined;
      do {
        const body = last === undefined ? {} : { after: last.verified };
        last = await verify(api, account, body);
        entries += last.entries;
        setSeen({ entries, last });
      } while (last.result === 'unfinished');
    } catch (error) {
      setSeen({ entries: 0, error: error as Error });
    } finally {
      setRunning(false);
    }
  };
  const { last, error, entries } = seen;
  return (
    <section aria-label="Verification" className="actions" aria-live="polite">
      <Button appearance="primary" disabled={isRunning} onClick={() => void run()}>
        Verify the chain
      </Button>
      {error === undefined ? null : <Failure error={error} retry={run} />}
      {last === undefined ? null : (
        <span>
          <Status of={last.result} /> {entries} entries verified, up to number {last.verified.sequence} of{' '}
          {last.head.sequence}.{' '}
          {last.broken === undefined ? '' : `Number ${last.broken.sequence}: ${last.broken.meaning}`}
        </span>
      )}
      {last?.result === 'whole' ? <Receipt of={last} /> : null}
    </section>
  );
}

function verify(api: Api, account: string, body: Schemas['AuditVerificationInput']): Promise<Verification> {
  return account === ''
    ? bodyOf(api.POST('/api/operator/audit/verify', { body }))
    : bodyOf(
        api.POST('/api/operator/accounts/{accountName}/audit/verify', {
          params: { path: { accountName: account } },
          body,
        }),
      );
}

/** The head as of the verification: a later verification with it as `announced` finds entries that were rewritten since. */
function Receipt({ of }: { of: Verification }) {
  const href = () => URL.createObjectURL(new Blob([JSON.stringify(of, null, 2)], { type: 'application/json' }));
  return (
    <Button
      onClick={() => {
        const link = document.createElement('a');
        link.href = href();
        link.download = `keyward-checkpoint-${of.chain}-${of.head.sequence}.json`;
        link.click();
        URL.revokeObjectURL(link.href);
      }}
    >
      Download the checkpoint
    </Button>
  );
}
