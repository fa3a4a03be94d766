/** The SDK of Table Storage. Its parts that Keyward uses are a file of the built app (build.ts). */
export { odata, RestError, TableClient, type TableEntity, TableTransaction } from '@azure/data-tables';
