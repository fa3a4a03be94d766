/**
 * Positions in lists over the accounts of all owners. A caller who is limited to owners gets a sealed one, because the
 * last account of a page can be another owner's.
 */
import { openPosition, sealPosition } from '../../core/crypto/pagePosition.ts';
import type { Call } from './call.ts';

type Reader = Pick<Call, 'owners' | 'service'>;

export async function shownPosition(position: string | undefined, { owners, service }: Reader) {
  if (position === undefined || owners === undefined) return position;
  return sealPosition(position, (await service.rings()).atRest.newest, service.random);
}

/** Empty: no list of this service has returned the token. */
export async function positionOf(token: string | null, { owners, service }: Reader): Promise<string | undefined> {
  if (token === null) return undefined;
  return owners === undefined ? token : (openPosition(token, (await service.rings()).atRest) ?? '');
}
