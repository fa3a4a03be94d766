/** What would stop if the customer changed a key: the forecast of the API for an act that the reader chooses. */
import { Button, Select } from '@fluentui/react-components';
import { useMutation } from '@tanstack/react-query';
import { type FormEvent, useId, useState } from 'react';
import { type Api, bodyOf, type Schemas } from '../api.ts';
import { Remedy } from './copyable.tsx';
import { countOf } from './count.ts';
import { Failure } from './states.tsx';

type Act = Schemas['CustomerWhatIf']['act'];
type Forecast = Schemas['CustomerForecast'];

/** In the order of a security officer's questions. */
const acts: Readonly<Record<Act, string>> = {
  disableVersion: 'disable this version',
  deleteKey: 'delete the key',
  removeRole: 'remove the role of this service',
  closeFirewall: 'close the firewall of the vault',
  letExpire: 'let this version expire',
  deleteVault: 'delete the vault',
};
const needsVersion = (act: Act): boolean => act === 'disableVersion' || act === 'letExpire';

export function WhatIf({ api, of }: { api: Api; of: Schemas['OverviewKey'] }) {
  const versions = of.versions.map(({ version }) => version);
  const [act, setAct] = useState<Act>('disableVersion');
  const [version, setVersion] = useState(versions[0] ?? '');
  const [actId, versionId] = [useId(), useId()];
  const ask = useMutation({
    mutationFn: () => {
      const keyIdentifier = needsVersion(act) ? `${of.key}/${version}` : of.key;
      return bodyOf(api.POST('/api/customer/whatIf', { body: { act, keyIdentifier } }));
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    ask.mutate();
  };
  return (
    <section aria-label={`What if, ${of.key}`}>
      <form onSubmit={submit} className="filters">
        <label htmlFor={actId}>What if I</label>
        <Select
          id={actId}
          value={act}
          onChange={(_, { value }) => {
            setAct(value as Act);
            ask.reset();
          }}
        >
          {Object.entries(acts).map(([value, text]) => (
            <option key={value} value={value}>
              {text}
            </option>
          ))}
        </Select>
        {needsVersion(act) ? (
          <>
            <label htmlFor={versionId}>Version</label>
            <Select
              id={versionId}
              value={version}
              onChange={(_, { value }) => {
                setVersion(value);
                ask.reset();
              }}
            >
              {versions.map((one) => (
                <option key={one}>{one}</option>
              ))}
            </Select>
          </>
        ) : null}
        <Button type="submit">Show what stops</Button>
      </form>
      <div aria-live="polite">
        {ask.error === null ? null : <Failure error={ask.error} />}
        {ask.data === undefined ? null : <Answer of={ask.data} />}
      </div>
    </section>
  );
}

function Answer({ of }: { of: Forecast }) {
  return (
    <div className="card">
      <p>
        <strong>{effectOf(of)}</strong> {saysMeaning(of) ? of.meaning : ''} Nothing was changed.
      </p>
      {of.accounts.length === 0 ? null : (
        <ul>
          {of.accounts.map(({ name, isPinned }) => (
            <li key={name}>
              {name}
              {isPinned ? ', pinned to its version' : ''}
            </li>
          ))}
        </ul>
      )}
      {of.isComplete ? null : <p>The vault has more accounts than one answer counts.</p>}
      {of.first.length === 0 ? null : <h3>Do this first</h3>}
      {of.first.map((text) => (
        <Remedy key={text} text={text} />
      ))}
      {of.undo === undefined ? null : (
        <>
          <h3>To undo it</h3>
          <Remedy text={of.undo} />
        </>
      )}
    </div>
  );
}

/** An expired version stops no account, and its meaning says what it does stop. Other causes are about accounts. */
const saysMeaning = ({ effect, act }: Forecast): boolean => effect !== 'none' || act === 'letExpire';

function effectOf({ effect, accounts, withinSeconds, keyReleasedWithinSeconds }: Forecast): string {
  if (effect === 'none') return 'No account stops.';
  const stops = effect === 'blocked' ? 'blocked' : 'unavailable, and not blocked,';
  const are = accounts.length === 1 ? 'is' : 'are';
  return `${countOf(accounts.length, 'account')} ${are} ${stops} within ${withinSeconds} s of the vault's first refusal. No process holds a usable key after ${keyReleasedWithinSeconds} s.`;
}
