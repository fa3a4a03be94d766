/** A resource with its secrets. Each is revealed as by any other call: gate, lease, log line and audit are the same. */
import { type Bytes, wipe } from '../base/bytes.ts';
import { Refusal } from '../base/errors.ts';
import { refOf } from '../secrets/readSecret.ts';
import { type RevealRequest, revealOne } from '../secrets/revealSecret.ts';
import type { AmsDeps } from './deps.ts';
import type { StoredResource } from './ports.ts';
import { type Json, type NamedSecret, withAt } from './resource.ts';

/** The properties with every secret in its place, as `shown`. A secret that was deleted by its own name is null. */
export async function revealResource(
  { ref, value }: StoredResource,
  shown: (plain: Bytes) => string,
  { actor }: Pick<RevealRequest, 'actor'>,
  service: AmsDeps,
): Promise<Json> {
  const open = async ({ kind, name, at }: NamedSecret) => {
    try {
      const { plain } = await revealOne(refOf(ref.account, kind, name), 'SecretsRevealed', { actor }, service);
      try {
        return { at, text: shown(plain) };
      } finally {
        wipe(plain);
      }
    } catch (error) {
      if (error instanceof Refusal && error.code === 'NotFound') return { at, text: null };
      throw error;
    }
  };
  const opened = await Promise.all(value.secrets.map(open));
  return opened.reduce((properties, { at, text }) => withAt(properties, at, text), value.properties);
}
