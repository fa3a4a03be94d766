/**
 * A key of one customer: how it is, what to do, and its versions. The operator's view has links in it, the customer's
 * none.
 */
import type { ReactNode } from 'react';
import type { Schemas } from '../api.ts';
import { Remedy } from './copyable.tsx';
import { countOf } from './count.ts';
import { Status } from './status.tsx';
import { Ago } from './time.tsx';
import { Versions } from './versions.tsx';

interface Props {
  readonly of: Schemas['OverviewKey'];
  readonly name: ReactNode;
  /** Draws the count of accounts. */
  readonly accounts?: (text: string) => ReactNode;
}

export function KeySummary({ of, name, accounts = (text) => text }: Props) {
  const { key, status, since, cause, meaning, remedy } = of;
  return (
    <section aria-label={key}>
      <h2>
        <Status of={status} /> {name}
      </h2>
      <p>
        {accounts(countOf(of.accounts, 'account'))}, {status} since <Ago at={since} />.{' '}
        {cause === undefined ? '' : `${cause}: ${meaning ?? ''}`}
      </p>
      <Remedy text={remedy} />
      <Versions of={of} />
    </section>
  );
}
