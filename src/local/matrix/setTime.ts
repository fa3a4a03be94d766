/**
 * The second part of the matrix: causes that reject a key when it is set, before any write. Each row produces its cause
 * in a vault of its own. Keyward must answer with that cause, and the account must not change.
 */
import type { Cause } from '../../core/base/causes.ts';
import { KeywardError } from '../../core/base/errors.ts';
import type { Lab } from '../lab/lab.ts';
import type { Evidence } from './row.ts';

export interface SetTimeRow {
  readonly name: string;
  readonly cause: Cause;
  readonly evidence: Evidence;
  /** Prepares the vault. Returns the key identifier that the caller then sets. */
  readonly input: (lab: Lab, vault: string) => Promise<string>;
}

export interface SetTimeOutcome {
  readonly row: SetTimeRow;
  /** The code of the rejection, or the actual result. */
  readonly reported: string;
  /** The account did not change. */
  readonly isUnchanged: boolean;
}

const key = async (lab: Lab, vault: string, body: Record<string, unknown>, more: Record<string, unknown> = {}) => {
  const { keyVault } = lab;
  await lab.vaultWithKey(vault, more);
  await keyVault('POST', `/vaults/${vault}/keys/other`, { kty: 'RSA', size: 2048, ...body });
  return `https://${vault}.vault.azure.net/keys/other`;
};
const hour = 3_600_000;
const inHours = (hours: number) => new Date(Date.now() + hours * hour).toISOString();

export const setTimeRows: readonly SetTimeRow[] = [
  {
    name: 'an elliptic-curve key',
    cause: 'KeyTypeUnsupported',
    evidence: 'documented',
    input: (lab, vault) => key(lab, vault, { kty: 'EC', size: undefined, curve: 'P-256' }),
  },
  {
    name: 'a key past its expiry date',
    cause: 'KeyExpired',
    evidence: 'documented',
    input: (lab, vault) => key(lab, vault, { exp: inHours(-1) }),
  },
  {
    name: 'a key that is not active yet',
    cause: 'KeyNotYetValid',
    evidence: 'documented',
    input: (lab, vault) => key(lab, vault, { nbf: inHours(24) }),
  },
  {
    name: 'a disabled key',
    cause: 'KeyDisabled',
    evidence: 'documented',
    input: (lab, vault) => key(lab, vault, { enabled: false }),
  },
  {
    name: 'a key without unwrapKey',
    cause: 'KeyOperationNotAllowed',
    evidence: 'documented',
    input: (lab, vault) => key(lab, vault, { keyOps: ['encrypt', 'decrypt', 'wrapKey'] }),
  },
  {
    name: 'a vault without soft delete',
    cause: 'SoftDeleteMissing',
    evidence: 'documented',
    input: (lab, vault) => key(lab, vault, {}, { recoveryLevel: 'Purgeable' }),
  },
  {
    name: 'a vault without purge protection',
    cause: 'PurgeProtectionMissing',
    evidence: 'documented',
    input: (lab, vault) =>
      key(lab, vault, {}, { recoveryLevel: 'CustomizedRecoverable+Purgeable', recoverableDays: 7 }),
  },
  {
    name: 'a vault in another region',
    cause: 'RegionMismatch',
    evidence: 'documented',
    input: (lab, vault) => key(lab, vault, {}, { location: 'northeurope' }),
  },
  {
    name: 'a vault of another owner',
    cause: 'OwnerMismatch',
    evidence: 'documented',
    async input(lab, vault) {
      const owned = await lab.vaultWithKey(vault);
      await lab.account(`${vault}-owner`, 'fabrikam', owned);
      return owned;
    },
  },
  {
    name: 'a host that is not a Key Vault',
    cause: 'VaultHostNotAllowed',
    evidence: 'documented',
    input: async (_lab, vault) => `https://${vault}.vault.azure.net.example.com/keys/cmk`,
  },
  {
    name: 'an identifier of a secret',
    cause: 'KeyIdentifierMalformed',
    evidence: 'documented',
    input: async (_lab, vault) => `https://${vault}.vault.azure.net/secrets/cmk`,
  },
];

export async function runSetTime(lab: Lab, rows: readonly SetTimeRow[] = setTimeRows): Promise<SetTimeOutcome[]> {
  const outcomes: SetTimeOutcome[] = [];
  for (const [index, row] of rows.entries()) {
    const name = `set-${index}`;
    const before = await lab.account(name, 'contoso');
    const reported = await lab.move(name, await row.input(lab, `set-time-${index}`)).then(
      () => 'accepted',
      (error: unknown) => (error instanceof KeywardError ? error.code : String(error)),
    );
    outcomes.push({ row, reported, isUnchanged: (await lab.view(name)).etag === before.etag });
  }
  return outcomes;
}

/** The causes that Keyward returned as expected. */
export const reportedCauses = (outcomes: readonly SetTimeOutcome[]): Cause[] =>
  outcomes.flatMap(({ row, reported }) => (row.cause === reported ? [row.cause] : []));
