/**
 * One client process of bench/dataKeys/revocation.ts: decrypts one message again and again, and says when it last
 * could.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { KeywardClient, KeywardRefusal } from '@keyward/client';

const [endpoint = '', key = '', account = '', message = ''] = process.argv.slice(2);
const client = new KeywardClient(endpoint, { key }, { deadlineSeconds: 5 });

// The bench ended, or was ended.
process.once('disconnect', () => process.exit());

let lastAt = 0;
let hasRead = false;
for (;;) {
  try {
    await client.decrypt(account, Buffer.from(message, 'base64'));
    lastAt = Date.now();
    if (!hasRead) process.send?.({ ready: true });
    hasRead = true;
  } catch (error) {
    if (error instanceof KeywardRefusal && hasRead) {
      process.send?.({ lastAt, code: error.code, cause: error.cause });
      process.disconnect?.();
      break;
    }
  }
  await sleep(100);
}
