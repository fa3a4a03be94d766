/** How to connect a key: the same steps for the Azure CLI, Bicep and Terraform, each with a button that copies it. */
import { useState } from 'react';
import type { Schemas } from '../api.ts';
import { Copyable } from './copyable.tsx';
import { Tabs } from './tabs.tsx';

type ConnectionPlan = Schemas['ConnectionPlan'];

const tools = { az: 'Azure CLI', bicep: 'Bicep', terraform: 'Terraform' } as const;

export function Plan({ of }: { of: ConnectionPlan }) {
  const [tool, setTool] = useState<keyof typeof tools>('az');
  return (
    <section aria-label="How to connect the key">
      <h3>How to connect {of.keyIdentifier.replace('https://', '')}</h3>
      <dl className="facts">
        <dt>You need</dt>
        <dd>{of.requirements}</dd>
        <dt>Role</dt>
        <dd>{of.role}</dd>
        <dt>On</dt>
        <dd>{of.scope}</dd>
        {of.principalId === undefined ? null : (
          <>
            <dt>Object id of this service</dt>
            <dd>{of.principalId}</dd>
          </>
        )}
      </dl>
      {of.application === undefined ? null : <Consent of={of.application} />}
      <Tabs label="Tool" of={tools} chosen={tool} choose={setTool}>
        {tool === 'az' ? <Steps of={of.az} /> : <Template of={of[tool]} />}
      </Tabs>
      <p>Then send the key identifier to the operator of this service:</p>
      <Copyable text={of.keyIdentifier} label="Copy the key identifier" />
    </section>
  );
}

const Consent = ({ of }: { of: NonNullable<ConnectionPlan['application']> }) => (
  <p>
    This service is the application {of.clientId}.{' '}
    <a href={of.consentAddress} rel="noreferrer">
      An administrator of your tenant consents here
    </a>
    , or installs it with the first command.
  </p>
);

const Steps = ({ of }: { of: ConnectionPlan['az'] }) => (
  <ol>
    {of.map(({ what, commands }) => (
      <li key={what}>
        {what}
        {commands.map((command) => (
          <Copyable key={command} text={command} label="Copy command" />
        ))}
      </li>
    ))}
  </ol>
);

function Template({ of }: { of: ConnectionPlan['bicep'] }) {
  if (of === undefined)
    return <p>Azure Resource Manager does not assign the roles of a Managed HSM. Use the Azure CLI or Terraform.</p>;
  return (
    <>
      <p>Save it as {of.file}:</p>
      <Copyable text={of.text} label="Copy the file" />
      <p>Then apply it:</p>
      <Copyable text={of.apply} label="Copy command" />
    </>
  );
}
