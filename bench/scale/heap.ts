/** The heap in use after a collection, in bytes. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

export function heapInUse(): number {
  collect();
  return process.memoryUsage().heapUsed;
}
