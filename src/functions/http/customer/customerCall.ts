/** What the calls of a customer's link have in common. */
import type { CustomerLink } from '../../../core/customerPage/ports.ts';
import type { Call } from '../../pipeline/call.ts';

export const customer = { scope: 'customer', role: 'Accounts.Read', bearerOnly: true } as const;

/** The link of the call, which the pipeline has verified. */
export function linkOf({ link }: Pick<Call, 'link'>): CustomerLink {
  if (link === undefined) throw new Error('A call with a link has none.');
  return link;
}
