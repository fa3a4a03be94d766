/**
 * The signature of storage requests by an account key. A file of the built app of its own (build.ts), for connection
 * strings.
 */
export { storageSharedKeyCredentialPolicy } from '@azure/storage-common';
