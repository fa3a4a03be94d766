/**
 * Test files share a process, which saves each of them loading the SDKs and Azurite again. MSAL keeps where managed identities are
 * asked for, and their tokens, as long as a process lives: before each file that is forgotten.
 */
import { ManagedIdentityCredential } from '@azure/identity';
import { expect } from 'vitest';

interface Msal {
  readonly constructor: { nodeStorage?: unknown };
  readonly managedIdentityClient: { readonly constructor: { readonly name: string; identitySource?: unknown } };
}

const { managedIdentityApp: msal } = new ManagedIdentityCredential() as unknown as {
  readonly managedIdentityApp: Msal;
};
// Names of its own that MSAL may change: then this says so, and not a test that fails now and then.
expect(Object.keys(msal.constructor)).toContain('nodeStorage');
expect(msal.managedIdentityClient.constructor.name).toBe('ManagedIdentityClient');
msal.constructor.nodeStorage = undefined;
msal.managedIdentityClient.constructor.identitySource = undefined;
