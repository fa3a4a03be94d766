/**
 * Test files share a process, so that each need not load the SDKs and Azurite. MSAL caches the address of managed
 * identities and their tokens for the life of a process. This file clears that cache before each test file.
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
// These are internal names of MSAL. When they change, this line fails, and not a test now and then.
expect(Object.keys(msal.constructor)).toContain('nodeStorage');
expect(msal.managedIdentityClient.constructor.name).toBe('ManagedIdentityClient');
msal.constructor.nodeStorage = undefined;
msal.managedIdentityClient.constructor.identitySource = undefined;
