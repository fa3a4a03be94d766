/**
 * The facts of an audit entry that name a person or an owner. The hash of an entry covers them as pseudonyms under the
 * entry's own salt, so the facts can be erased while the chain still verifies (docs/compliance.md).
 */
import { createHmac } from 'node:crypto';

interface PersonalFacts {
  readonly type: string;
  readonly actor: { readonly kind: string; readonly id: string };
  readonly owners?: readonly string[];
  readonly before?: string;
  readonly after?: string;
}

/** `before` and `after` hold text of a caller: tags and other settings, or the owner of a released claim. */
const typesWithText: ReadonlySet<string> = new Set(['AccountUpdated', 'ClaimReleased']);

/** The entry with each personal fact replaced. @throws TypeError when a fact has another type */
function replacePersonalFacts<T extends PersonalFacts>(entry: T, replace: (fact: string, value: string) => string): T {
  const { type, actor, owners, before, after } = entry;
  const replaced = (fact: 'before' | 'after', value: string | undefined) =>
    value !== undefined && typesWithText.has(type) ? { [fact]: replace(fact, value) } : {};
  return {
    ...entry,
    ...(actor.kind === 'keyward' ? {} : { actor: { ...actor, id: replace('actor', actor.id) } }),
    ...(owners === undefined ? {} : { owners: owners.map((owner) => replace('owners', owner)) }),
    ...replaced('before', before),
    ...replaced('after', after),
  };
}

export function hasPersonalFacts(entry: PersonalFacts): boolean {
  let count = 0;
  replacePersonalFacts(entry, (_, value) => {
    count += 1;
    return value;
  });
  return count > 0;
}

/**
 * A pseudonym is HMAC-SHA-256 with the salt's text as key. The name of the fact is in it, so equal values of two facts
 * differ. As JSON, no value of another type and no other text has the same bytes.
 */
export const pseudonymized = <T extends PersonalFacts>(entry: T, salt: string): T =>
  replacePersonalFacts(entry, (fact, value) =>
    createHmac('sha256', salt)
      .update(JSON.stringify([fact, value]), 'utf8')
      .digest('base64url'),
  );
