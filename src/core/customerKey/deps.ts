import type { BaseDeps } from '../base/deps.ts';
import type { Cloud } from './keyIdentifier.ts';
import type { Claims, KeyVault } from './ports.ts';

export interface CustomerKeyDeps extends BaseDeps {
  readonly keyVault: KeyVault;
  readonly claims: Claims;
  readonly cloud: Cloud;
  readonly homeTenantId: string;
  /** Hosts of the vaults with the operator's own keys. A customer key must not be in one of them (INV-14). */
  readonly operatorVaults: ReadonlySet<string>;
  /** The tag that a customer key must carry, with the account's owner as its value. */
  readonly ownerTag: string | undefined;
}
