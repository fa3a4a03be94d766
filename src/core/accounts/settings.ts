/** What a change of settings has changed, for the audit. */
import canonicalize from 'canonicalize';
import type { ActiveAccount } from '../account.ts';
import type { Actor, AuditFacts } from '../audit.ts';
import { hex, sha256, utf8 } from '../bytes.ts';

export type AccountSettings = Pick<ActiveAccount, 'tags' | 'auditKeyUse'>;

/** An entry stays far below the 32,768 characters of a row, however long the tags are. */
const maxLength = 4_000;

/** One entry, or none where nothing has changed. */
export function settingsFacts(before: AccountSettings, after: AccountSettings, actor: Actor): AuditFacts[] {
  const names = [...new Set([...Object.keys(before.tags), ...Object.keys(after.tags)])];
  const changed = names.filter((name) => tagOf(before, name) !== tagOf(after, name));
  const isSwitched = (before.auditKeyUse ?? false) !== (after.auditKeyUse ?? false);
  if (changed.length === 0 && !isSwitched) return [];
  const told = ({ tags, auditKeyUse = false }: AccountSettings): string => {
    const these = Object.fromEntries(Object.entries(tags).filter(([name]) => changed.includes(name)));
    return short({ ...(changed.length > 0 ? { tags: these } : {}), ...(isSwitched ? { auditKeyUse } : {}) });
  };
  return [{ type: 'AccountUpdated', actor, before: told(before), after: told(after) }];
}

const tagOf = ({ tags }: AccountSettings, name: string): string | undefined =>
  Object.hasOwn(tags, name) ? tags[name] : undefined;

/** What is too long is told by its hash: it can still be compared. */
function short(settings: object): string {
  const text = canonicalize(settings) ?? '';
  return text.length <= maxLength ? text : `sha256:${hex(sha256(utf8(text)))}`;
}
