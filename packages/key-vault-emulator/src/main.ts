/**
 * The emulator as a process of its own:
 *   node packages/key-vault-emulator/src/main.ts [--port N] [--identity-url URL] [--key-pool FILE] [--dir FOLDER]
 * or by KEYVAULT_PORT, KEYVAULT_IDENTITY_URL, KEYVAULT_KEY_POOL, KEYVAULT_DIR. The folder stores the vaults. Prints
 * `{"url": "..."}` when it is ready. Ends on SIGTERM, on SIGINT and when standard input closes, so that it does not
 * outlive the process that started it.
 */
import { fstatSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { startKeyVault } from './emulator.ts';

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: process.env.KEYVAULT_PORT ?? '0' },
    'identity-url': { type: 'string', default: process.env.KEYVAULT_IDENTITY_URL ?? 'http://127.0.0.1:8081' },
    'key-pool': { type: 'string', default: process.env.KEYVAULT_KEY_POOL ?? '' },
    dir: { type: 'string', default: process.env.KEYVAULT_DIR ?? '' },
  },
});

const emulator = await startKeyVault({
  port: Number(values.port),
  identityUrl: values['identity-url'],
  ...(values['key-pool'] === '' ? {} : { keyPool: values['key-pool'] }),
  ...(values.dir === '' ? {} : { dir: values.dir }),
});

const end = () => void emulator.stop().then(() => process.exit(0));
process.once('SIGTERM', end);
process.once('SIGINT', end);
// Only the end of a pipe means that the parent has ended: /dev/null ends at once, and a terminal has no parent behind
// it.
const input = fstatSync(0);
if (input.isFIFO() || input.isSocket()) process.stdin.once('end', end).resume();

console.log(JSON.stringify({ url: emulator.url }));
