/**
 * Compares the secrets of an account with the entries about them: an HMAC does not show that a writer of the tables put
 * back an older row, or removed one (INV-13). The secrets are read after the head and before the entries. So they are
 * as the last entry up to that head says, unless a later entry is about them. Pure.
 */
import type { AuditEntry } from './auditEntry.ts';

/**
 * `<kind>/<name>` of each secret that is stored, with its version. Undefined: its row is damaged, and reported as such.
 */
export type SecretVersions = ReadonlyMap<string, string | undefined>;

export interface DifferingSecret {
  readonly secret: string;
  /** The last entry about it; the head where no entry is about it. */
  readonly sequence: number;
}

export interface SecretsCheck {
  see(entry: AuditEntry): void;
  /** The first secret that is not as its last entry says. */
  differing(): DifferingSecret | undefined;
}

export function secretsCheck(stored: SecretVersions, head: number): SecretsCheck {
  const last = new Map<string, { readonly version: string | undefined; readonly sequence: number }>();
  const changedSince = new Set<string>();
  let isDeleted = false;
  return {
    see({ type, secrets = [], after, sequence }) {
      if (type === 'AccountDeleted') isDeleted = true;
      if (type !== 'SecretWritten' && type !== 'SecretDeleted') return;
      for (const secret of secrets) {
        if (sequence > head) changedSince.add(secret);
        else last.set(secret, { version: type === 'SecretWritten' ? after : undefined, sequence });
      }
    },
    differing() {
      if (isDeleted) return undefined;
      for (const secret of new Set([...stored.keys(), ...last.keys()])) {
        if (changedSince.has(secret)) continue;
        const { version, sequence } = last.get(secret) ?? { version: undefined, sequence: head };
        const isDamaged = stored.has(secret) && stored.get(secret) === undefined;
        if (!isDamaged && stored.get(secret) !== version) return { secret, sequence };
      }
      return undefined;
    },
  };
}
