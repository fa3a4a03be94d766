/** The SDK of Queue Storage. Its parts that Keyward uses are a file of the built app (build.ts). */
export { type QueueClient, QueueServiceClient, RestError } from '@azure/storage-queue';
