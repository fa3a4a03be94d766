import type { VaultKind } from './hosts.ts';

/**
 * The answers of the real service that are not documented, or on which reports differ. A setting of each vault chooses
 * one of the plausible answers. A client must handle all of them.
 */
export type Answers = {
  /** Inner code of a refusal by access policy: `AccessDenied` in recent reports, `ForbiddenByPolicy` around 2021. */
  policyInnerCode: 'AccessDenied' | 'ForbiddenByPolicy';
  /** False: errors come without the `innererror` object. */
  innerErrors: boolean;
  /** The docs say that a disabled key refuses every operation; azure-sdk-for-python #45342 says that wrap succeeded. */
  wrapOnDisabled: 'refused' | 'allowed';
  /** Inner code when wrapping with an expired key; null for none. Not found in any public source. */
  expiredInnerCode: string | null;
  /** True: the check for a missing key (404) comes before the check for a missing permission (403). */
  existenceBeforePermission: boolean;
  /**
   * What a soft-deleted vault's host does: a network error code (`ENOTFOUND` by field reports), or an HTTP status,
   * since Key Vault docs (general/soft-delete-overview) say that the DNS record is retained.
   */
  deletedVault: string | number;
  /** Message of a 400 for a value that the key did not encrypt: today's, or the older one that names OAEP. */
  undecryptable: 'current' | 'oaep';
  /** Body of a 403 for a missing role: Key Vault's, or the shorter one that az CLI #32719 shows for a Managed HSM. */
  rbacBody: 'vault' | 'managedhsm';
};

export function defaultAnswers(kind: VaultKind): Answers {
  return {
    policyInnerCode: 'AccessDenied',
    innerErrors: true,
    wrapOnDisabled: 'refused',
    expiredInnerCode: 'KeyExpired',
    existenceBeforePermission: false,
    deletedVault: 'ENOTFOUND',
    undecryptable: 'current',
    rbacBody: kind,
  };
}
