/** The chain of the service or of one account: its entries, and its verification with progress. */
import { Button } from '@fluentui/react-components';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { type Api, bodyOf, type Schemas, skipTokenOf } from '../api.ts';
import { useConsole } from '../context.ts';
import { type ListPage, useList } from '../list.ts';
import { useAddress } from '../navigation.tsx';
import { countOf } from '../parts/count.ts';
import { type Column, DataTable } from '../parts/dataTable.tsx';
import { Download } from '../parts/download.tsx';
import { EntryFacts, entryActor } from '../parts/entry.tsx';
import { TextFilter } from '../parts/filters.tsx';
import { Empty, Failure, Loading } from '../parts/states.tsx';
import { Status } from '../parts/status.tsx';
import { Ago, Time } from '../parts/time.tsx';

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
      {account === '' ? <Daily /> : null}
      <h2>{account === '' ? 'Chain of the service' : `Chain of ${account}`}</h2>
      <AuditOf key={account} account={account} />
    </>
  );
}

export function AuditOf({ account }: { account: string }) {
  const { api } = useConsole();
  const { rows, error, refetch, more } = useList<Entry, Schemas['AuditEntryList']>({
    key: ['audit', account],
    read: (page) => entriesOf(api, account, page),
  });
  return (
    <>
      <Verify account={account} />
      <div className="actions">
        <SignedFiles account={account} />
      </div>
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

/**
 * A verification of a long chain takes several calls: each begins after the last entry that the call before it
 * verified.
 */
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
          <progress max={last.head.sequence} value={last.verified.sequence} aria-label="Verified entries" />{' '}
          {last.broken === undefined ? '' : `Number ${last.broken.sequence}: ${last.broken.meaning}`}
        </span>
      )}
      {/* The head as of the verification: a later one with it as `announced` finds entries that were rewritten since. */}
      {last?.result === 'whole' ? (
        <Download
          label="Download the checkpoint"
          fileName={`keyward-checkpoint-${last.chain}-${last.head.sequence}.json`}
          read={async () => last}
        />
      ) : null}
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

/** Signed by Keyward: what an auditor verifies later, offline, with `npm run verify-receipt` (docs/audit.md). */
function SignedFiles({ account }: { account: string }) {
  const { api } = useConsole();
  if (account === '')
    return (
      <Download
        label="Download the signed checkpoints"
        fileName="keyward-checkpoints.json"
        read={() => checkpoints(api)}
      />
    );
  const params = { path: { accountName: account } };
  return (
    <Download
      label="Download the revocation receipts"
      fileName={`keyward-receipts-${account}.json`}
      read={() => bodyOf(api.GET('/api/operator/accounts/{accountName}/revocationReceipts', { params }))}
    />
  );
}

/** The checkpoints of the last 30 days, and the public keys that verify them. */
async function checkpoints(api: Api) {
  const { keys } = await bodyOf(api.GET('/api/audit/jwks'));
  const value: Schemas['AuditCheckpoint'][] = [];
  let position = {};
  for (;;) {
    const query = { $top: 100, ...position };
    const page = await bodyOf(api.GET('/api/operator/audit/checkpoints', { params: { query } }));
    value.push(...page.value);
    const skipToken = skipTokenOf(page.nextLink);
    if (skipToken === undefined) return { value, keys };
    position = { $skipToken: skipToken };
  }
}

/** What the daily verification of all chains found. */
function Daily() {
  const { api } = useConsole();
  const { data, error, refetch } = useQuery({
    queryKey: ['dailyVerification'],
    queryFn: () => bodyOf(api.GET('/api/operator/audit/verification')),
    refetchInterval: 15_000,
  });
  if (error !== null) return <Failure error={error} retry={refetch} />;
  if (data === undefined) return <Loading what="the daily verification" />;
  const { last, running } = data;
  return (
    <section aria-label="Daily verification of all chains">
      <h2>Daily verification of all chains</h2>
      {last === undefined ? (
        <p>No verification of all chains has finished yet. Keyward starts one each day.</p>
      ) : (
        <p>
          <Status of={last.brokenCount === 0 ? 'whole' : 'broken'} /> {countOf(last.chains, 'chain')} verified, finished{' '}
          <Ago at={last.finishedAt} />.
        </p>
      )}
      {running === undefined ? null : (
        <p>
          In progress since <Time at={running.startedAt} />: {countOf(running.chains, 'chain')} so far,{' '}
          {running.brokenCount} broken.
        </p>
      )}
      <ul className="plain">
        {last?.broken.map(({ chain, sequence, flaw, meaning }) => (
          <li key={`${chain} ${sequence}`}>
            <Status of="broken" /> <code>{chain}</code>, number {sequence}: {flaw}. {meaning}
          </li>
        ))}
      </ul>
    </section>
  );
}
