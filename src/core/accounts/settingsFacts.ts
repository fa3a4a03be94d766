/** The audit entry for a change of settings. */
import canonicalize from 'canonicalize';
import type { Actor, AuditFacts } from '../audit/auditFacts.ts';
import { hex, sha256, utf8 } from '../base/bytes.ts';
import { maxLeaseSeconds } from '../base/policy.ts';
import type { ActiveAccount } from './account.ts';

export type AccountSettings = Pick<ActiveAccount, 'tags' | 'auditKeyUse' | 'leaseSeconds' | 'kept'>;

/** Keeps an entry far below the 32,768 characters of a row, however long the tags are. */
const maxLength = 4_000;

/** One entry, or none when nothing has changed. */
export function settingsFacts(before: AccountSettings, after: AccountSettings, actor: Actor): AuditFacts[] {
  const isSwitched = (before.auditKeyUse ?? false) !== (after.auditKeyUse ?? false);
  const [tags, kept] = [changedNames(before.tags, after.tags), changedNames(before.kept, after.kept)];
  const isLeaseChanged = before.leaseSeconds !== after.leaseSeconds;
  if (tags.length === 0 && kept.length === 0 && !isSwitched && !isLeaseChanged) return [];
  const textOf = ({ auditKeyUse = false, leaseSeconds = maxLeaseSeconds, ...settings }: AccountSettings): string =>
    short({
      ...(tags.length > 0 ? { tags: only(tags, settings.tags) } : {}),
      ...(kept.length > 0 ? { kept: only(kept, settings.kept) } : {}),
      ...(isSwitched ? { auditKeyUse } : {}),
      ...(isLeaseChanged ? { leaseSeconds } : {}),
    });
  return [{ type: 'AccountUpdated', actor, before: textOf(before), after: textOf(after) }];
}

type Values = Readonly<Record<string, unknown>>;

function changedNames(before: Values = {}, after: Values = {}): string[] {
  const textOf = (values: Values, name: string) =>
    Object.hasOwn(values, name) ? canonicalize(values[name]) : undefined;
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return names.filter((name) => textOf(before, name) !== textOf(after, name));
}

const only = (names: readonly string[], values: Values = {}): Values =>
  Object.fromEntries(Object.entries(values).filter(([name]) => names.includes(name)));

/** A text that is too long is replaced by its hash, which can still be compared. */
function short(settings: object): string {
  const text = canonicalize(settings) ?? '';
  return text.length <= maxLength ? text : `sha256:${hex(sha256(utf8(text)))}`;
}
