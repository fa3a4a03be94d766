/** Who calls, with which app roles. */
import type { Actor } from '../../core/audit/auditFacts.ts';

/** App roles of the bearer tokens. No role includes another. */
export const roles = [
  'Accounts.Read',
  'Accounts.Write',
  /** Separate from writing, because it destroys the account key and everything that the key protects. */
  'Accounts.Delete',
  'Secrets.Read',
  'Secrets.Write',
  'Secrets.Reveal',
  'Secrets.Resolve',
  'DataKeys.Use',
  'Keys.Operate',
  /** For calls that end a customer's control: an account leaves its customer's vault, or a claim is released. */
  'Keys.Release',
  'Audit.Read',
  /** For a link that shows a customer its own keys (customerLink.ts). */
  'Links.Create',
  /** Event Grid's role. Microsoft's scripts for secure webhooks give it this name. */
  'AzureEventGridSecureWebhookSubscriber',
] as const;

export type Role = (typeof roles)[number];

/** The caller and its roles. A call can need one role more than its route names, depending on what it requests. */
export interface Caller {
  readonly actor: Actor;
  readonly roles: ReadonlySet<Role>;
  /** The client id of the application that the token was issued to. Absent: the caller used a function key. */
  readonly application?: string;
  /**
   * The caller may use accounts of these owners only: the app roles `Owner:<owner>` of its token. Absent: of all
   * owners.
   */
  readonly owners?: ReadonlySet<string>;
}
