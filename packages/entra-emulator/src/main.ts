/**
 * The emulator as a process: `node packages/entra-emulator/src/main.ts '{"port":4020,"tenants":[...]}'`.
 * Prints one JSON line with the URL and the environment for the app; ends on SIGTERM or when its standard input closes.
 */
import { jsonArgument, runAsOwnProcess } from '../../own-process/src/ownProcess.ts';
import { startIdentity } from './issuer.ts';
import { Seeds } from './seeds.ts';

await runAsOwnProcess(
  () => startIdentity(jsonArgument(Seeds)),
  ({ url, environment }) => ({ url, environment }),
);
