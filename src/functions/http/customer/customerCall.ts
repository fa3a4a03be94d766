/** What the calls of a customer's link have in common. */
import type { CustomerLink } from '../../../core/customerPage/ports.ts';
import type { Call } from '../../pipeline/call.ts';

export const customer = { scope: 'customer', role: 'Accounts.Read', bearerOnly: true } as const;

/** The pipeline has opened it. */
export function linkOf({ link }: Pick<Call, 'link'>): CustomerLink {
  if (link === undefined) throw new Error('A call with a link has none.');
  return link;
}
