/** GET with If-None-Match (RFC 9110, 13.1.2): 304 without a body when the caller has this representation already. */
import type { HttpRequest, HttpResponseInit } from '@azure/functions';
import canonicalize from 'canonicalize';
import { hex, sha256, utf8 } from '../../core/base/bytes.ts';

export function answerWithEtag(request: HttpRequest, etag: string, jsonBody: object): HttpResponseInit {
  const known = request.headers.get('if-none-match') ?? '';
  const isKnown = known.trim() === '*' || known.split(',').some((one) => one.trim().replace(/^W\//, '') === etag);
  const headers = { ETag: etag };
  return isKnown ? { status: 304, headers } : { status: 200, headers, jsonBody };
}

/**
 * The ETag of the record and, after `~`, a part for the status of the account's key. A status changes without a write
 * of the record, and a 304 must not hide that change. Times that every look changes are left out. A condition on a
 * write compares the record's part alone (conditionsIn).
 */
export function representationTag(etag: string, encryption: object): string {
  const {
    lastAccessibleAt: _,
    nextLookAt: __,
    lastCheckedAt: ___,
    ...shown
  }: Record<string, unknown> = { ...encryption };
  const isPlain = shown.status === undefined || (shown.status === 'Accessible' && String(shown.warnings ?? '') === '');
  return isPlain ? etag : etag.replace(/"$/, `~${hex(sha256(utf8(canonicalize(shown) ?? ''))).slice(0, 12)}"`);
}
