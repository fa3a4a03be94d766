/** An audit entry in a table: who, and the facts that its columns do not show. */
import type { Schemas } from '../api.ts';

type Entry = Schemas['AuditEntryList']['value'][number];

const shownApart = new Set(['type', 'actor', 'at', 'sequence', 'chain', 'previousHash', 'hash', 'keyGeneration']);
const text = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));

export const entryActor = (entry: Entry): string => ('actor' in entry ? `${entry.actor.kind} ${entry.actor.id}` : '–');

export function EntryFacts({ entry }: { entry: Entry }) {
  const facts = Object.entries(entry).filter(([name]) => !shownApart.has(name));
  return <span>{facts.map(([name, value]) => `${name}: ${text(value)}`).join(' · ') || '–'}</span>;
}
