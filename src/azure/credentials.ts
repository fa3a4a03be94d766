/** Tokens for an identity of ours. One cached credential per (tenant, identity); each keeps its own token cache. */
import { ManagedIdentityCredential, type TokenCredential } from '@azure/identity';
import type { KeyVaultIdentity } from '../core/binding.ts';
import { awaitingToken, noteCredentialError } from './keyVaultTransport.ts';

export type CredentialOf = (identity: KeyVaultIdentity) => TokenCredential;

export function createCredentials(): CredentialOf {
  const known = new Map<string, TokenCredential>();
  return (identity) => {
    const resourceId = identity.useSystemAssignedIdentity ? '' : identity.userAssignedIdentity.toLowerCase();
    const credential = known.get(resourceId) ?? watched(managedIdentity(resourceId));
    known.set(resourceId, credential);
    return credential;
  };
}

/** The next look is the retry: a token that is waited for longer than a look may take helps nobody. */
const once = { retryOptions: { maxRetries: 0 } };

function managedIdentity(resourceId: string): TokenCredential {
  return resourceId === ''
    ? new ManagedIdentityCredential(once)
    : new ManagedIdentityCredential({ resourceId, ...once });
}

/** Writes down why there was no token: further up, the SDK's error would hide it. */
function watched(credential: TokenCredential): TokenCredential {
  return {
    async getToken(scopes, options) {
      try {
        return await awaitingToken(() => credential.getToken(scopes, options));
      } catch (error) {
        noteCredentialError(readCredentialError(error));
        throw error;
      }
    },
  };
}

export function readCredentialError(error: unknown): { name: string; aadsts?: string } {
  const message = error instanceof Error ? error.message : '';
  const aadsts = /AADSTS(\d{4,8})/.exec(message)?.[1];
  if (aadsts !== undefined) return { name: 'Entra', aadsts };
  if (message.includes('not configured to acquire tokens for tenant')) return { name: 'TenantNotAllowed' };
  return { name: error instanceof Error ? error.name : 'unknown' };
}
