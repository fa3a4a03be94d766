/** The SDK of Key Vault. Its parts that Keyward uses are a file of the built app (build.ts). */
export { CryptographyClient, KeyClient, type KeyVaultKey } from '@azure/keyvault-keys';
