/** Filters of a view: their values are the query of its address. They are not drawn again with each page of rows. */
import { Field, Input, Select } from '@fluentui/react-components';
import { memo, useEffect, useState } from 'react';
import { setQuery, useAddress } from '../navigation.tsx';

/** The filters of these names that an address has. An empty one is no filter. */
export function filtersOf<N extends string>(query: URLSearchParams, names: readonly N[]): Partial<Record<N, string>> {
  const entries = names.map((name) => [name, query.get(name)]).filter(([, value]) => value !== null && value !== '');
  return Object.fromEntries(entries) as Partial<Record<N, string>>;
}

interface Choices {
  readonly name: string;
  readonly label: string;
  readonly choices: readonly string[];
}

export const ChoiceFilter = memo(({ name, label, choices }: Choices) => {
  const { query } = useAddress();
  return (
    <Field label={label}>
      <Select value={query.get(name) ?? ''} onChange={(_, { value }) => setQuery({ [name]: value })}>
        <option value="">all</option>
        {choices.map((choice) => (
          <option key={choice}>{choice}</option>
        ))}
      </Select>
    </Field>
  );
});

/** Takes effect with Enter or when the field is left, so that no call is made for each letter. */
export const TextFilter = memo(({ name, label, hint }: { name: string; label: string; hint?: string }) => {
  const { query } = useAddress();
  const value = query.get(name) ?? '';
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  const apply = () => setQuery({ [name]: text.trim() });
  return (
    <Field label={label} {...(hint === undefined ? {} : { hint })}>
      <Input
        value={text}
        onChange={(_, { value: typed }) => setText(typed)}
        onBlur={apply}
        onKeyDown={({ key }) => (key === 'Enter' ? apply() : undefined)}
      />
    </Field>
  );
});

/** A moment in the reader's zone; the address has it in UTC. */
export const TimeFilter = memo(({ name, label }: { name: string; label: string }) => {
  const { query } = useAddress();
  return (
    <Field label={label}>
      <Input
        type="datetime-local"
        value={localOf(query.get(name))}
        onChange={(_, { value }) => setQuery({ [name]: isoOf(new Date(value)) })}
      />
    </Field>
  );
});

/** Empty when it was no time, or one that a date cannot hold. */
const isoOf = (at: Date): string => (Number.isNaN(at.getTime()) ? '' : at.toISOString());

function localOf(utc: string | null): string {
  const at = new Date(utc ?? '');
  return isoOf(new Date(at.getTime() - at.getTimezoneOffset() * 60_000)).slice(0, 16);
}
