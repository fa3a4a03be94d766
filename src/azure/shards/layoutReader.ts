/**
 * The layout of this process: read again when the copy is older than five seconds, and compared with the accounts that
 * the settings name. Without a fresh copy every call is refused, because another process may write elsewhere by now.
 */
import { type Age, startAge, unknownAge } from '../../core/base/age.ts';
import type { Clock } from '../../core/base/effects.ts';
import { Unavailable } from '../../core/base/errors.ts';
import { singleFlight } from '../../core/base/singleFlight.ts';
import type { TableClient } from '../sdk/tables.ts';
import { isFromStorage, unavailable } from '../tableErrors.ts';
import { type Layout, layoutAgeMs } from './layout.ts';
import { checkMembers, readLayout } from './layoutRows.ts';

const tooSlow = (): Unavailable =>
  new Unavailable('StorageUnavailable', 'The layout of the storage accounts was read too slowly. Retry.', 1);

export interface LayoutReader {
  /** At most five seconds old. @throws Misplaced | Unavailable */
  read(): Promise<Layout>;
}

/** @param rings table `keywardrings` of each account, in the order of the settings */
export function createLayoutReader(rings: readonly TableClient[], clock: Clock): LayoutReader {
  let copy: Layout | undefined;
  let ageMs: Age = unknownAge;
  let checked = '';

  async function readOnce(): Promise<Layout> {
    try {
      for (;;) {
        const begun = startAge(clock);
        const layout = await readLayout(rings);
        const members = `${layout.id} ${layout.accounts}`;
        if (members === checked) {
          copy = layout;
          ageMs = begun;
          return layout;
        }
        await checkMembers(rings, layout);
        checked = members;
      }
    } catch (error) {
      throw isFromStorage(error) ? unavailable(error) : error;
    }
  }

  const read = singleFlight(readOnce, layoutAgeMs, clock);
  const isFresh = () => ageMs() < layoutAgeMs;
  return {
    async read() {
      if (copy !== undefined && isFresh()) return copy;
      const layout = await read();
      if (isFresh()) return copy ?? layout;
      throw tooSlow();
    },
  };
}
