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
import { Plan } from './parts/plan.tsx';
import { Empty, Failure, Loading } from './parts/states.tsx';
import { WhatIf } from './parts/whatIf.tsx';

type Key = Schemas['OverviewKey'];

export function CustomerPage({ token }: { token: string }) {
  const api = useMemo(() => createApi({ token: async () => token }), [token]);
  const { rows, first, error, refetch } = useList<Key, Schemas['CustomerKeys']>({
    key: ['customerKeys'],
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
            <Empty title="No account of yours has a key of its own.">Connect your key below.</Empty>
          ) : null}
          {rows.map((key) => (
            <div key={key.bindingId}>
              <KeySummary of={key} name={key.key.replace('https://', '')} />
              <WhatIf api={api} of={key} />
            </div>
          ))}
          <ConnectKey api={api} />
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

/**
 * The steps for a key, and the dry run, which is repeated until every check passes, so that the reader sees the effect
 * of each step.
 */
function ConnectKey({ api }: { api: Api }) {
  const [typed, setTyped] = useState({ keyIdentifier: '', location: '' });
  const [{ keyIdentifier, location }, setKey] = useState(typed);
  const input = { keyIdentifier, ...(location === '' ? {} : { location }) };
  const plan = useQuery({
    queryKey: ['customerPlan', input],
    queryFn: () => bodyOf(api.GET('/api/customer/plan', { params: { query: input } })),
    enabled: keyIdentifier !== '',
    staleTime: Number.POSITIVE_INFINITY,
  });
  const checks = useQuery({
    queryKey: ['customerDryRun', input],
    queryFn: () => bodyOf(api.POST('/api/customer/dryRun', { body: input })),
    enabled: keyIdentifier !== '',
    refetchInterval: ({ state }) => (state.data?.valid === true ? false : 5_000),
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setKey({ keyIdentifier: typed.keyIdentifier.trim(), location: typed.location.trim() });
  };
  const field = (name: keyof typeof typed, label: string, placeholder: string, width: number) => (
    <>
      <label htmlFor={name}>{label}</label>
      <Input
        id={name}
        value={typed[name]}
        style={{ width: `min(${width}px, 100%)` }}
        placeholder={placeholder}
        onChange={(_, { value }) => setTyped({ ...typed, [name]: value })}
      />
    </>
  );
  return (
    <section aria-label="Connect a key">
      <h2>Connect a key</h2>
      <p>Name a key that you have or will create. The checks below repeat until all pass.</p>
      <form onSubmit={submit} className="filters">
        {field('keyIdentifier', 'Key identifier', 'https://<vault>.vault.azure.net/keys/<key>', 420)}
        {field('location', 'Region of the account', 'that of your accounts', 180)}
        <Button type="submit" disabled={typed.keyIdentifier.trim() === ''}>
          Show the steps and run the checks
        </Button>
      </form>
      {plan.error === null ? null : <Failure error={plan.error} retry={plan.refetch} />}
      {plan.data === undefined ? null : <Plan of={plan.data} />}
      {keyIdentifier === '' ? null : <h3>Checks</h3>}
      {checks.error === null ? null : <Failure error={checks.error} retry={checks.refetch} />}
      {checks.data === undefined && checks.isFetching ? <Loading what="the checks" /> : null}
      {checks.data === undefined ? null : <Checks of={checks.data.checks} />}
      {checks.data?.valid === true ? <p role="status">Every check passes: the key can be used.</p> : null}
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
