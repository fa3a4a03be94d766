/** Audit entries about secrets, in their account's chain. */
import type { AccountView } from '../accounts/account.ts';
import { type AppendDeps, appendToChain } from '../accounts/appendAuditEntry.ts';
import { accountNotFound } from '../accounts/readAccount.ts';
import type { SecretRef } from '../accounts/secretRow.ts';
import type { Actor } from '../audit/auditFacts.ts';
import { Refusal } from '../base/errors.ts';
import { measure } from '../base/metrics.ts';
import { fold } from '../base/names.ts';
import type { SecretsDeps } from './deps.ts';

type EntryDeps = AppendDeps & Pick<SecretsDeps, 'log' | 'alarmLimiter'>;

/** The part of Keyward that acts where no caller is known. */
export const keyward = { kind: 'keyward', id: 'secrets' } as const;

export const pathOf = ({ kind, name }: Pick<SecretRef, 'kind' | 'name'>): string => `${kind}/${name}`;

/**
 * Logs every reveal, and adds an audit entry where the account requests it. Runs before the value leaves: a value that
 * cannot be audited is not revealed, nor one of an account that was deleted or created again since it was read.
 * @throws Refusal AccountNotFound
 */
export async function auditReveal(
  view: AccountView,
  type: 'SecretsRevealed' | 'JobInputResolved',
  refs: readonly SecretRef[],
  actor: Actor,
  deps: EntryDeps,
): Promise<void> {
  const [first] = refs;
  if (first === undefined) return;
  const entries = [{ type, actor, secrets: refs.map(pathOf) }];
  if (view.record.auditKeyUse === true && !(await appendToChain(view.record, entries, deps)))
    throw accountNotFound(fold(view.record.name));
  deps.log.info(type === 'SecretsRevealed' ? 'Secrets revealed' : 'Job input resolved', {
    account: fold(view.record.name),
    kind: first.kind,
    first: first.name,
    count: refs.length,
    actorKind: actor.kind,
    actor: actor.id,
  });
  measure(deps.log, 'keyward.reveals', refs.length, { kind: first.kind });
}

/**
 * Rows that do not decrypt to what their context says: edited, swapped or damaged. They stay as they are. The log has
 * each attempt; the chain has one entry per minute and secret, so that repeated requests do not fill it.
 */
export async function alarm(view: AccountView, refs: readonly SecretRef[], deps: EntryDeps): Promise<void> {
  const { instanceId } = view.record;
  const idOf = (ref: SecretRef) => `${instanceId} ${pathOf(ref)}`;
  const admitted = new Set(deps.alarmLimiter.admit(refs.map(idOf)));
  const secrets = refs.filter((ref) => admitted.has(idOf(ref))).map(pathOf);
  for (const secret of refs.map(pathOf))
    deps.log.error('A stored secret does not match its context', {
      account: fold(view.record.name),
      secret,
      cause: 'KeyMaterialMismatch',
    });
  const facts = { type: 'SecretIntegrityFailed', actor: keyward, cause: 'KeyMaterialMismatch' } as const;
  const entries = pieces(secrets).map((piece) => ({ ...facts, secrets: piece }));
  if (entries.length === 0) return;
  try {
    await appendToChain(view.record, entries, deps);
  } catch (error) {
    deps.alarmLimiter.release([...admitted]);
    throw error;
  }
}

/** An entry is one row, and a row holds 32,768 characters. A page of a hundred real names has at most half of that. */
const maxNamesLength = 16_000;

/** Names of rows that Keyward did not write can be long, and grow when they are written as JSON. */
function pieces(names: readonly string[]): string[][] {
  const all: string[][] = [];
  let left = 0;
  for (const name of names) {
    const length = JSON.stringify(name).length + 1;
    if (length > left) {
      all.push([]);
      left = maxNamesLength;
    }
    all.at(-1)?.push(name);
    left -= length;
  }
  return all;
}

export const integrityFailure = (ref: SecretRef): Refusal =>
  new Refusal(
    'KeyMaterialMismatch',
    `The stored bytes of ${pathOf(ref)} are not those of this secret: the row was edited, swapped or damaged. Nothing was changed. Write the secret again, or restore its row from a back-up.`,
    { target: ref.name },
  );
