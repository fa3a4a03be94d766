/** What a connection plan is made of, and what it says. */
import type { KeyAddress } from '../base/keyCommands.ts';
import type { KeyVaultIdentity } from '../customerKey/binding.ts';
import type { Cloud } from '../customerKey/keyVaultHosts.ts';

export interface PlanFacts {
  readonly key: KeyAddress;
  readonly cloud: Cloud;
  /** Of the customer's accounts: the vault must be in it. */
  readonly region: string;
  readonly identity: KeyVaultIdentity;
  /** In the tenant of the vault. Absent across tenants until this service has called the vault. */
  readonly principalId?: string;
}

export interface PlanStep {
  readonly what: string;
  readonly commands: readonly string[];
}

/** Files and the command that applies them. */
export interface PlanTemplate {
  readonly file: string;
  readonly text: string;
  readonly apply: string;
}

export interface ConnectionPlan {
  readonly keyIdentifier: string;
  readonly region: string;
  /** What the vault must have. */
  readonly requirements: string;
  readonly role: string;
  /** The role is given on this one key. */
  readonly scope: string;
  readonly principalId?: string;
  /**
   * Across tenants: the application that the customer installs, where, and the page where an administrator consents.
   */
  readonly application?: { readonly clientId: string; readonly tenantId: string; readonly consentAddress: string };
  readonly az: readonly PlanStep[];
  /** Absent for a Managed HSM: Azure Resource Manager does not assign its local roles. */
  readonly bicep?: PlanTemplate;
  readonly terraform: PlanTemplate;
}
