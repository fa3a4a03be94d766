/**
 * The page of a customer's security officer, opened by a link that the operator made (docs/operator-calls.md). The link
 * has a token after the `#`, which browsers send to no server; the token opens the calls under `/api/customer` only.
 */
import { Button, Input } from '@fluentui/react-components';
import { useQuery } from '@tanstack/react-query';
import { type FormEvent, useMemo, useState } from 'react';
import { type Api, bodyOf, createApi, type Schemas, skipTokenOf } from './api.ts';
import { useList } from './list.ts';
import { Checks } from './parts/checks.tsx';
import { Download } from './parts/download.tsx';
import { KeySummary } from './parts/keySummary.tsx';
import { Empty, Failure, Loading } from './parts/states.tsx';

type Key = Schemas['OverviewKey'];

export function CustomerPage({ token }: { token: string }) {
  const api = useMemo(() => createApi({ token: async () => token }), [token]);
  const { rows, first, error, refetch } = useList<Key, Schemas['CustomerKeys']>(['customerKeys'], {
    read: ({ $skipToken }) =>
      bodyOf(api.GET('/api/customer/keys', { params: { query: $skipToken === undefined ? {} : { $skipToken } } })),
    // Keyward audits every call of a link.
    refetchInterval: 60_000,
  });
  return (
    <main className="page">
      {token === '' ? (
        <Empty title="The address is not complete.">
          Open the whole address that the operator of this service gave you, with all characters after the #.
        </Empty>
      ) : error !== null ? (
        <>
          <h1>Your keys</h1>
          <Failure error={error} retry={refetch} />
          <p>Links expire. The operator of this service can make a new one.</p>
        </>
      ) : rows === undefined || first === undefined ? (
        <Loading what="your keys" />
      ) : (
        <>
          <h1>Keys of {first.owner}</h1>
          <Bounds of={first.bounds} />
          {rows.length === 0 ? (
            <Empty title="No account of yours has a key of its own.">Check your key below, then connect it.</Empty>
          ) : null}
          {rows.map((key) => (
            <KeySummary key={key.bindingId} of={key} name={key.key.replace('https://', '')} />
          ))}
          <CheckKey api={api} />
          <h2>Revocation receipts</h2>
          <p>Keyward signs a receipt after each confirmed revocation: when the key was refused, and last used.</p>
          <Download label="Download the receipts" fileName="revocation-receipts.json" read={() => receiptsOf(api)} />
        </>
      )}
    </main>
  );
}

const Bounds = ({ of }: { of: Schemas['CustomerKeys']['bounds'] }) => (
  <section aria-label="What happens when you take a key away">
    <h2>When you take a key away</h2>
    <dl className="facts">
      <dt>You disable the version in use</dt>
      <dd>its accounts are blocked within {of.disabledSeconds} s</dd>
      <dt>You delete the key</dt>
      <dd>within {of.deletedSeconds} s</dd>
      <dt>You remove the role of this service</dt>
      <dd>within {of.permissionRemovedSeconds} s</dd>
      <dt>In each case</dt>
      <dd>no process holds a usable key after {of.releasedSeconds} s</dd>
    </dl>
  </section>
);

/** Repeats the dry run until every check passes, so that the reader sees the effect of each change. */
function CheckKey({ api }: { api: Api }) {
  const [typed, setTyped] = useState('');
  const [keyIdentifier, setKeyIdentifier] = useState('');
  const { data, error, refetch, isFetching } = useQuery({
    queryKey: ['customerDryRun', keyIdentifier],
    queryFn: () => bodyOf(api.POST('/api/customer/dryRun', { body: { keyIdentifier } })),
    enabled: keyIdentifier !== '',
    refetchInterval: ({ state }) => (state.data?.valid === true ? false : 5_000),
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setKeyIdentifier(typed.trim());
  };
  return (
    <section aria-label="Check a key">
      <h2>Check a key</h2>
      <form onSubmit={submit} className="filters">
        <label htmlFor="keyIdentifier">Key identifier</label>
        <Input
          id="keyIdentifier"
          value={typed}
          style={{ width: 'min(420px, 100%)' }}
          placeholder="https://<vault>.vault.azure.net/keys/<key>"
          onChange={(_, { value }) => setTyped(value)}
        />
        <Button type="submit" disabled={typed.trim() === ''}>
          Run the checks
        </Button>
      </form>
      {error === null ? null : <Failure error={error} retry={refetch} />}
      {data === undefined && isFetching ? <Loading what="the checks" /> : null}
      {data === undefined ? null : <Checks of={data.checks} />}
    </section>
  );
}

/** Every receipt, and the public keys that verify them offline. */
async function receiptsOf(api: Api): Promise<Schemas['CustomerReceipts']> {
  const value: Schemas['CustomerReceipts']['value'] = [];
  for (let position = {}; ; ) {
    const page = await bodyOf(api.GET('/api/customer/receipts', { params: { query: position } }));
    value.push(...page.value);
    const skipToken = skipTokenOf(page.nextLink);
    if (skipToken === undefined) return { value, keys: page.keys };
    position = { $skipToken: skipToken };
  }
}
