/**
 * One account: its two states, its keys, what to do now, the validation checks, the changes that an operator makes, and
 * its audit.
 */
import { useQuery } from '@tanstack/react-query';
import { type Account, bodyOf } from '../api.ts';
import { useConsole } from '../context.ts';
import { accountMachine, keyStatusMachine } from '../machines.ts';
import { Link, nameIn, useAddress } from '../navigation.tsx';
import { Remedy } from '../parts/copyable.tsx';
import { OwnerLink } from '../parts/links.tsx';
import { MachineDrawing } from '../parts/machine.tsx';
import { Failure, Loading } from '../parts/states.tsx';
import { Status } from '../parts/status.tsx';
import { Ago, Time } from '../parts/time.tsx';
import { AccountActions } from './accountActions.tsx';
import { AuditOf } from './audit.tsx';
import { DryRun } from './dryRun.tsx';

type Encryption = Extract<Account['properties']['encryption'], { type: 'CustomerKey' }>;

export default function AccountView() {
  const { api } = useConsole();
  const { path } = useAddress();
  const name = nameIn(path) ?? '';
  const { data, error, refetch } = useQuery({
    queryKey: ['account', name],
    queryFn: () => bodyOf(api.GET('/api/accounts/{accountName}', { params: { path: { accountName: name } } })),
    refetchInterval: 3_000,
  });
  if (error !== null) return <Failure error={error} retry={refetch} />;
  if (data === undefined) return <Loading what="the account" />;
  const { properties } = data;
  const { encryption } = properties;
  return (
    <>
      <dl className="facts">
        <dt>State</dt>
        <dd>
          <Status of={properties.state} />
        </dd>
        {properties.scheduledPurgeAt === undefined ? null : (
          <>
            <dt>Key is destroyed at</dt>
            <dd>
              <Time at={properties.scheduledPurgeAt} />
            </dd>
          </>
        )}
        <dt>Owner</dt>
        <dd>
          <OwnerLink of={properties.owner} />
        </dd>
        <dt>Account id</dt>
        <dd>
          <code>{properties.accountId}</code>
        </dd>
        <dt>Location</dt>
        <dd>{data.location}</dd>
        <dt>Created</dt>
        <dd>
          <Time at={data.systemData.createdAt} />
        </dd>
      </dl>
      <AccountActions account={data} />
      <MachineDrawing of={accountMachine} now={properties.state} />
      {encryption.type === 'CustomerKey' ? <MachineDrawing of={keyStatusMachine} now={encryption.status} /> : null}
      {encryption.type === 'CustomerKey' ? <CustomerKey of={encryption} /> : <SystemKey />}
      <Hierarchy of={encryption} />
      {encryption.type === 'CustomerKey' ? <DryRun account={name} /> : null}
      <h2>Audit</h2>
      <p>
        <Link to={`/timeline?account=${name}`}>Its last 24 hours in the timeline</Link>
      </p>
      <AuditOf account={name} />
    </>
  );
}

const SystemKey = () => (
  <>
    <h2>Key</h2>
    <p>The operator's system key wraps the account key. No customer key is involved.</p>
  </>
);

function CustomerKey({ of }: { of: Encryption }) {
  return (
    <>
      <h2>Customer key</h2>
      <dl className="facts">
        <dt>Status</dt>
        <dd>
          <Status of={of.status} /> <Status of={of.served} />
        </dd>
        <dt>Since</dt>
        <dd>
          <Ago at={of.since} />
        </dd>
        <dt>Last check</dt>
        <dd>
          <Ago at={of.lastCheckedAt} />
        </dd>
        {of.servedUntil === undefined ? null : (
          <>
            <dt>Served until</dt>
            <dd>
              <Time at={of.servedUntil} />
            </dd>
          </>
        )}
        {of.keyReleasedBy === undefined ? null : (
          <>
            <dt>Key released by</dt>
            <dd>
              <Time at={of.keyReleasedBy} />
            </dd>
          </>
        )}
        <dt>Key identifier</dt>
        <dd>
          <code>{of.keyVaultProperties.keyIdentifier}</code>
        </dd>
        <dt>Current version</dt>
        <dd>
          <code>{of.keyVaultProperties.currentKeyIdentifier.split('/').at(-1)}</code>
        </dd>
        {of.cause === undefined ? null : (
          <>
            <dt>Cause</dt>
            <dd>
              {of.cause}: {of.meaning}
            </dd>
            <dt>Who acts</dt>
            <dd>{of.whoActs}</dd>
            <dt>What to do</dt>
            <dd>
              <Remedy text={of.remedy} />
            </dd>
          </>
        )}
      </dl>
      {of.warnings.map((warning) => (
        <p key={warning.code}>
          <Status of="warn" /> {warning.code} {'remedy' in warning ? <Remedy text={warning.remedy} /> : null}
          {'expiresOn' in warning ? <Time at={warning.expiresOn} /> : null}
        </p>
      ))}
    </>
  );
}

/** Which key wraps which, from the customer's down to the data (docs/envelope.md). */
function Hierarchy({ of }: { of: Account['properties']['encryption'] }) {
  return (
    <>
      <h2>Key hierarchy</h2>
      <ul className="hierarchy">
        <li>
          {of.type === 'CustomerKey' ? (
            <>
              Customer key <code>{of.keyVaultProperties.currentKeyIdentifier}</code>
            </>
          ) : (
            'System key of the operator, through the system ring'
          )}
          <ul>
            <li>
              wraps the account key, generation {of.accountKeyGeneration}
              <ul>
                <li>which encrypts the secrets of the account</li>
                <li>which wraps its data keys</li>
              </ul>
            </li>
          </ul>
        </li>
      </ul>
    </>
  );
}
