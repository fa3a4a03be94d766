/** Parameters beside the body that are the same on every route: conditions on a write, and the size of a page. */
import type { HttpRequest } from '@azure/functions';
import type { Preconditions } from '../../core/accounts/writeAccount.ts';
import { defined } from '../../core/base/defined.ts';
import { Refusal } from '../../core/base/errors.ts';

export const maxPageSize = 100;

/**
 * A GET appends a status to the record's ETag. A condition compares only the record's own part (accountJson.ts).
 * @throws Refusal InvalidParameter
 */
export function conditionsIn(request: HttpRequest): Preconditions {
  const ifMatch = request.headers.get('if-match');
  const ifNoneMatch = request.headers.get('if-none-match');
  if (ifNoneMatch !== null && ifNoneMatch !== '*')
    throw new Refusal('InvalidParameter', 'If-None-Match can only be *: it creates, and never replaces.', {
      target: 'If-None-Match',
    });
  const record = ifMatch?.replaceAll(/~[0-9a-f]+"/g, '"');
  return { ...defined({ ifMatch: record }), ...(ifNoneMatch === null ? {} : { ifNoneMatch: '*' as const }) };
}

/** `$top`, or the largest page size. @throws Refusal InvalidParameter */
export function pageSizeOf(request: HttpRequest): number {
  const top = request.query.get('$top');
  // Only digits are valid: `Number` also accepts 1e1 and 0x10.
  const size = top === null ? maxPageSize : Number(/^[1-9]\d{0,2}$/.test(top) ? top : Number.NaN);
  if (size >= 1 && size <= maxPageSize) return size;
  throw new Refusal('InvalidParameter', `$top must be a whole number from 1 to ${maxPageSize}.`, { target: '$top' });
}
