/**
 * The layout of this process: read again when the copy is older than five seconds, and compared with the accounts that
 * the settings name. Without a fresh copy every call is refused, because another process may write elsewhere by now.
 */
import { type Age, startAge, unknownAge } from '../../core/base/age.ts';
import type { Clock } from '../../core/base/effects.ts';
import { singleFlight } from '../../core/base/singleFlight.ts';
import type { TableClient } from '../sdk/tables.ts';
import { isFromStorage, unavailable } from '../tableErrors.ts';
import { type Layout, layoutAgeMs } from './layout.ts';
import { checkMembers, readLayout } from './layoutRows.ts';

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
    const begun = startAge(clock);
    try {
      const layout = await readLayout(rings);
      const members = `${layout.id} ${layout.accounts}`;
      if (members !== checked) await checkMembers(rings, layout);
      checked = members;
      copy = layout;
      ageMs = begun;
      return layout;
    } catch (error) {
      throw isFromStorage(error) ? unavailable(error) : error;
    }
  }

  const read = singleFlight(readOnce, layoutAgeMs, clock);
  return { read: async () => (copy !== undefined && ageMs() < layoutAgeMs ? copy : read()) };
}
