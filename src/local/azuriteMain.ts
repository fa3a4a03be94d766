/**
 * Azurite as a process: `node src/local/azuriteMain.ts '{"dir":".local/storage","ports":{"table":10002}}'`.
 * Prints one JSON line with the URLs and the connection string; ends on SIGTERM or when its standard input closes.
 */
import * as z from 'zod';
import { jsonArgument, runAsOwnProcess } from '../../packages/own-process/src/ownProcess.ts';
import { startAzurite } from './azurite.ts';

const port = z.int().min(0).max(65_535);
const Options = z.strictObject({
  dir: z.string().min(1).exactOptional(),
  inMemory: z.boolean().exactOptional(),
  ports: z
    .strictObject({ table: port.exactOptional(), queue: port.exactOptional(), blob: port.exactOptional() })
    .exactOptional(),
});

await runAsOwnProcess(
  () => startAzurite(jsonArgument(Options)),
  ({ tableUrl, queueUrl, blobUrl, connectionString }) => ({ tableUrl, queueUrl, blobUrl, connectionString }),
);
