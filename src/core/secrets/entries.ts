/** Audit entries about secrets: in the account's chain, without touching the account itself, so its ETag stays. */
import type { AccountView } from '../account.ts';
import { type Actor, type AuditFacts, appendEntry, headOf } from '../audit.ts';
import { Refusal, retryLostRaces } from '../errors.ts';
import { measure } from '../metrics.ts';
import { fold } from '../names.ts';
import type { SecretRef } from '../ports.ts';
import type { Service } from '../service.ts';

type EntryTools = Pick<Service, 'accounts' | 'memory' | 'rings' | 'clock' | 'log'>;

export const pathOf = ({ kind, name }: Pick<SecretRef, 'kind' | 'name'>): string => `${kind}/${name}`;

/** Appends to the chain of exactly this account instance; one that is gone meanwhile has no chain to append to. */
async function append(view: AccountView, facts: AuditFacts, tools: EntryTools): Promise<void> {
  const { audit } = await tools.rings();
  const { name, instanceId } = view.record;
  await tools.memory.inTurn(name, () =>
    retryLostRaces(async () => {
      const stored = await tools.accounts.read(fold(name));
      if (stored === undefined || stored.value.instanceId !== instanceId) return;
      const entry = appendEntry(instanceId, stored.value.audit, facts, tools.clock.now(), audit.newest);
      await tools.accounts.save({ value: { ...stored.value, audit: headOf(entry) }, etag: stored.etag }, [entry]);
    }),
  );
}

/**
 * One structured line for every reveal, and an entry where the account asks for them. Comes before the value leaves: what cannot
 * be audited is not revealed.
 */
export async function tellReveal(
  view: AccountView,
  type: 'SecretsRevealed' | 'JobInputResolved',
  refs: readonly SecretRef[],
  actor: Actor,
  tools: EntryTools,
): Promise<void> {
  const [first] = refs;
  if (first === undefined) return;
  if (view.record.auditReveals === true) await append(view, { type, actor, secrets: refs.map(pathOf) }, tools);
  tools.log.info(type === 'SecretsRevealed' ? 'Secrets revealed' : 'Job input resolved', {
    account: fold(view.record.name),
    kind: first.kind,
    first: first.name,
    count: refs.length,
    actorKind: actor.kind,
    actor: actor.id,
  });
  measure(tools.log, 'keyward.reveals', refs.length, { kind: first.kind });
}

const keyward = { kind: 'keyward', id: 'secrets' } as const;

/** Rows that do not open to what their place says: edited, swapped or damaged. They are left as they are. */
export async function alarm(view: AccountView, refs: readonly SecretRef[], tools: EntryTools): Promise<void> {
  const secrets = refs.map(pathOf);
  for (const secret of secrets)
    tools.log.error('A stored secret does not open to what its place says', {
      account: fold(view.record.name),
      secret,
      cause: 'KeyMaterialMismatch',
    });
  const facts = { type: 'SecretIntegrityFailed', actor: keyward, cause: 'KeyMaterialMismatch' } as const;
  for (const piece of pieces(secrets)) await append(view, { ...facts, secrets: piece }, tools);
}

/** An entry is one row, and a row holds 32,768 characters. A page of a hundred real names has at most half of that. */
const maxNamesLength = 16_000;

/** Names of rows that are none of ours can be long, and grow when they are written as JSON. */
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
    `The stored bytes of ${pathOf(ref)} are not what belongs there: the row was edited, swapped or damaged. Nothing was changed. Write the secret again, or restore its row from a back-up.`,
    { target: ref.name },
  );
