/**
 * The receipt of a revocation: a signed statement of what Keyward saw and did after a customer revoked the key. It is
 * made from the entry in the account's chain, so it can be requested again at any time with the same content.
 */
import { type AuditEntry, headOf } from '../audit/auditEntry.ts';
import { accountChain, type Chain } from '../audit/chains.ts';
import { linkedEntries } from '../audit/linkedEntries.ts';
import { defined } from '../base/defined.ts';
import { fold } from '../base/names.ts';
import type { AttestationDeps } from './deps.ts';

/** The `typ` of the JWS header, so that no other signed text is accepted as a receipt. */
export const receiptType = 'keyward-revocation-receipt';
/** The newest ones: an account is revoked a few times in its life. */
const maxReceipts = 20;

export interface RevocationReceipt {
  readonly accountId: string;
  readonly sequence: number;
  /** A compact JWS over `ReceiptClaims`. */
  readonly receipt: string;
}

/** Times are ISO 8601. */
export interface ReceiptClaims {
  /** Seconds since 1970: when the receipt was signed. */
  readonly iat: number;
  readonly account: string;
  readonly accountId: string;
  /** The current key identifier of the account, with the version. */
  readonly key: string;
  readonly cause: string;
  /** The last moment at which a check of the key succeeded. Absent: none did. */
  readonly lastUsedAt?: string;
  readonly firstRefusedAt?: string;
  /** When the refusal was confirmed: from then on the account is blocked. */
  readonly confirmedAt?: string;
  /** When the entry was written to the account's chain. */
  readonly recordedAt: string;
  /** The end of the last lease: no process holds the unwrapped account key after it. */
  readonly keyReleasedBy?: string;
  /** Of the first refusal and of the one that confirmed it, where Key Vault answered: its own log has them. */
  readonly keyVaultRequestIds: readonly string[];
  /** The entry in the account's chain. */
  readonly entry: { readonly chain: string; readonly sequence: number; readonly hash: string };
}

/** Newest last. @throws Refusal AccountNotFound @throws Unavailable */
export async function revocationReceipts(
  name: string,
  instanceId: string | undefined,
  deps: AttestationDeps,
): Promise<readonly RevocationReceipt[]> {
  const chain = await accountChain(name, instanceId, deps);
  const entries = (await revocationsIn(chain, deps)).slice(-maxReceipts);
  const iat = Math.floor(deps.clock.now() / 1000);
  return Promise.all(
    entries.map(async (entry) => ({
      accountId: chain.id,
      sequence: entry.sequence,
      receipt: await deps.statusKeys.sign(receiptClaims(fold(name), entry, iat), receiptType),
    })),
  );
}

async function revocationsIn(chain: Chain, { rings }: AttestationDeps): Promise<AuditEntry[]> {
  const { audit } = await rings();
  const found: AuditEntry[] = [];
  for await (const entry of linkedEntries(chain, audit))
    if (entry.type === 'CustomerKeyInaccessible') found.push(entry);
  return found;
}

function receiptClaims(account: string, entry: AuditEntry, iat: number): ReceiptClaims {
  const { firstKeyVaultRequestId, keyVaultRequestId, key = '', cause = '' } = entry;
  const ids = [firstKeyVaultRequestId, keyVaultRequestId].filter((id) => id !== undefined);
  const { lastUsedAt, firstRefusedAt, confirmedAt, keyReleasedBy } = entry;
  return {
    iat,
    account,
    accountId: entry.chain,
    key,
    cause,
    ...defined({ lastUsedAt, firstRefusedAt, confirmedAt, keyReleasedBy }),
    recordedAt: entry.at,
    keyVaultRequestIds: [...new Set(ids)],
    entry: { chain: entry.chain, ...headOf(entry) },
  };
}
