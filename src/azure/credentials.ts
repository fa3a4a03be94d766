/**
 * Tokens for Keyward's identities. Within the home tenant it is the token of a managed identity. In another tenant it
 * is the token of an application that a managed identity speaks for:
 *
 *   managed identity ── token for the exchange ──▶ token endpoint of the account's tenant ──▶ token of the application there
 *
 * Keyward requests no token of another tenant than the account's (INV-8): it compares the tenant in the vault's
 * challenge first.
 */

import { lruCache } from '../core/base/lruCache.ts';
import { type FederatedIdentity, identityParts, isFederated } from '../core/customerKey/binding.ts';
import type { Cloud } from '../core/customerKey/keyIdentifier.ts';
import type { KeyRef } from '../core/customerKey/ports.ts';
import { throughEmulator } from './emulators.ts';
import { inTime } from './inTime.ts';
import {
  AzureAuthorityHosts,
  ClientAssertionCredential,
  type GetTokenOptions,
  ManagedIdentityCredential,
  type TokenCredential,
} from './sdk/identity.ts';
import { awaitingToken, recordCredentialError } from './wireRecord.ts';

type Who = Pick<KeyRef, 'tenantId' | 'identity'>;

export interface Credentials {
  /** For calls to a vault. The record of the call says why there is no token, because the SDK's error hides it. */
  of(who: Who): TokenCredential;
  /**
   * Whether the identity may speak for its application at home. It is the same exchange as in the customer's tenant, so
   * its success shows that a refusal there is the customer's. Each call requests a new token: an earlier one proves
   * nothing.
   */
  exchangesAtHome(identity: FederatedIdentity): Promise<boolean>;
}

export interface CredentialOptions {
  readonly cloud: Cloud;
  readonly homeTenantId: string;
  readonly deadlineSeconds: number;
  /** Development only. */
  readonly entraEmulatorUrl?: string;
}

/**
 * Microsoft Entra docs, "Configure an application to trust a managed identity"; Key Vault docs, "About keys, secrets &
 * certificates".
 */
const entra = {
  public: {
    authorityHost: AzureAuthorityHosts.AzurePublicCloud,
    exchange: 'api://AzureADTokenExchange/.default',
    keyVault: 'https://vault.azure.net/.default',
  },
  usgov: {
    authorityHost: AzureAuthorityHosts.AzureGovernment,
    exchange: 'api://AzureADTokenExchangeUSGov/.default',
    keyVault: 'https://vault.usgovcloudapi.net/.default',
  },
  china: {
    authorityHost: AzureAuthorityHosts.AzureChina,
    exchange: 'api://AzureADTokenExchangeChina/.default',
    keyVault: 'https://vault.azure.cn/.default',
  },
} as const satisfies Record<Cloud, object>;

/** The next look is the retry. A token that comes after the deadline of a look is of no use. */
const once = { retryOptions: { maxRetries: 0 } };

/** A client keeps its present token. Dropping a credential costs its clients only the next token. */
const maxCredentials = 500;

export function createCredentials(options: CredentialOptions): Credentials {
  const { authorityHost, exchange, keyVault } = entra[options.cloud];
  const emulator = options.entraEmulatorUrl;
  const network = emulator === undefined ? {} : { httpClient: throughEmulator(authorityHost, emulator) };
  const known = lruCache<TokenCredential>(maxCredentials);

  function federated(identity: FederatedIdentity, tenantId: string): TokenCredential {
    const speaker = managedIdentity(identity.userAssignedIdentity);
    const assertion = async () => (await speaker.getToken(exchange)).token;
    return new ClientAssertionCredential(tenantId, identity.federatedIdentityClientId, assertion, {
      authorityHost,
      additionallyAllowedTenants: [],
      disableInstanceDiscovery: true,
      ...network,
      ...once,
    });
  }

  function credentialOf({ tenantId, identity }: Who): TokenCredential {
    if (isFederated(identity)) return federated(identity, tenantId);
    return managedIdentity(identity.useSystemAssignedIdentity ? undefined : identity.userAssignedIdentity);
  }

  return {
    of(who) {
      const id = [who.tenantId, ...identityParts(who.identity)].join(' ');
      return {
        async getToken(scopes, requested: GetTokenOptions = {}) {
          const credential = known.get(id) ?? credentialOf(who);
          known.set(id, credential);
          try {
            checkTenant(who.tenantId, requested.tenantId);
            return await awaitingToken(() => credential.getToken(scopes, { ...requested, tenantId: who.tenantId }));
          } catch (error) {
            // MSAL repeats a failure of the token endpoint for a minute without a call. The next look must call.
            known.delete(id);
            recordCredentialError(readCredentialError(error));
            throw error;
          }
        },
      };
    },

    exchangesAtHome(identity) {
      const requested = async () => federated(identity, options.homeTenantId).getToken(keyVault);
      return inTime(requested, options.deadlineSeconds * 1000).then(
        () => true,
        () => false,
      );
    },
  };
}

function checkTenant(ours: string, challenged = ours): void {
  if (challenged.toLowerCase() !== ours.toLowerCase()) throw new TenantNotAllowed();
}

/** The vault's challenge names another tenant than the account. */
class TenantNotAllowed extends Error {
  override readonly name = 'TenantNotAllowed';
}

/** Keyward's managed identity gave no token. That is no customer's refusal, even if the error text has such a code. */
class NoManagedIdentity extends Error {
  override readonly name = 'NoManagedIdentity';
}

function managedIdentity(resourceId: string | undefined): Pick<ManagedIdentityCredential, 'getToken'> {
  const credential =
    resourceId === undefined
      ? new ManagedIdentityCredential(once)
      : new ManagedIdentityCredential({ resourceId, ...once });
  return {
    getToken: (scopes, options) =>
      credential.getToken(scopes, options).catch((cause: unknown) => {
        throw new NoManagedIdentity('The managed identity gave no token.', { cause });
      }),
  };
}

/** The error's class, and the AADSTS number when Entra refused the application. Never its text. */
export function readCredentialError(error: unknown): { name: string; aadsts?: string } {
  if (!(error instanceof Error)) return { name: 'unknown' };
  const aadsts = /AADSTS(\d{4,8})/.exec(error.message)?.[1];
  return aadsts === undefined ? { name: error.name } : { name: 'Entra', aadsts };
}
