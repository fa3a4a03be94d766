/**
 * A resource with its secrets. Each secret is revealed as by a call of its own, with the same gate, lease, log line and
 * audit.
 */
import { type Bytes, wipe } from '../base/bytes.ts';
import { Refusal } from '../base/errors.ts';
import type { SecretKind } from '../base/vocabulary.ts';
import { refOf } from '../secrets/readSecret.ts';
import { type RevealRequest, revealOne } from '../secrets/revealSecret.ts';
import type { AmsDeps } from './deps.ts';
import type { StoredResource } from './ports.ts';
import { type Json, type JsonPath, type NamedSecret, withAt } from './resource.ts';

/** The kind of secrets that each type of resource writes, and so the only kind that its row may name. */
const kindOf: Readonly<Record<StoredResource['ref']['type'], SecretKind | undefined>> = {
  streamingLocators: 'contentKeys',
  contentKeyPolicies: 'tokenKeys',
  jobs: 'jobInputs',
  transforms: undefined,
};

/** The form in which a secret is shown: as the value at its path, or as properties of the object at its path. */
type Shown = string | null | Json;

/** The properties, with one secret in the form of `shown`. */
export const showAt = (properties: Json, at: JsonPath, shown: Shown): Json =>
  typeof shown !== 'object' || shown === null
    ? withAt(properties, at, shown)
    : Object.entries(shown).reduce((all, [name, value]) => withAt(all, [...at, name], value), properties);

/**
 * The properties with every secret in its place, as `shown`. A secret that was deleted by its own name is `deleted`. A
 * row that names another kind of secret was edited: through it `Secrets.Reveal` would read what needs another role.
 * @throws Refusal KeyMaterialMismatch
 */
export async function revealResource(
  { ref, value }: StoredResource,
  shown: (plain: Bytes) => Shown,
  { actor }: Pick<RevealRequest, 'actor'>,
  deps: AmsDeps,
  deleted: Shown = null,
): Promise<Json> {
  const open = async ({ kind, name, at }: NamedSecret) => {
    if (kind !== kindOf[ref.type])
      throw new Refusal('KeyMaterialMismatch', `A row of ${ref.type} names a secret of another kind: ${kind}.`, {
        target: ref.name,
      });
    try {
      const { plain } = await revealOne(refOf(ref.account, kind, name), 'SecretsRevealed', { actor }, deps);
      try {
        return { at, value: shown(plain) };
      } finally {
        wipe(plain);
      }
    } catch (error) {
      if (error instanceof Refusal && error.code === 'NotFound') return { at, value: deleted };
      throw error;
    }
  };
  const opened = await Promise.all(value.secrets.map(open));
  return opened.reduce((properties, one) => showAt(properties, one.at, one.value), value.properties);
}
