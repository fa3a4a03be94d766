/** The SDK of Microsoft Entra ID. Its parts that Keyward uses are a file of the built app (build.ts). */
export {
  AzureAuthorityHosts,
  ClientAssertionCredential,
  type GetTokenOptions,
  ManagedIdentityCredential,
  type TokenCredential,
} from '@azure/identity';
