/** The app's own managed identity, for its storage and its topic. The SDK loads with the first use. */
import type { TokenCredential } from './sdk/identity.ts';

export async function ownCredential(): Promise<TokenCredential> {
  const { ManagedIdentityCredential } = await import('./sdk/identity.ts');
  return new ManagedIdentityCredential();
}
