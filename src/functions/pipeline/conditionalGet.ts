/** GET with If-None-Match (RFC 9110, 13.1.2): 304 without a body when the caller has this representation already. */
import type { HttpRequest, HttpResponseInit } from '@azure/functions';

export function answerWithEtag(request: HttpRequest, jsonBody: { readonly etag: string }): HttpResponseInit {
  const { etag } = jsonBody;
  const known = request.headers.get('if-none-match') ?? '';
  const isKnown = known.trim() === '*' || known.split(',').some((one) => one.trim().replace(/^W\//, '') === etag);
  const headers = { ETag: etag };
  return isKnown ? { status: 304, headers } : { status: 200, headers, jsonBody };
}
