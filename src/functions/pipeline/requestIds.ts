/** The ids of a call that every answer carries: ours, and the caller's own where it asks for it back (ARM, "Common client request headers"). */
import type { HttpRequest, HttpResponseInit, InvocationContext } from '@azure/functions';

export function withRequestIds(
  answer: HttpResponseInit,
  { headers }: HttpRequest,
  { invocationId }: InvocationContext,
): HttpResponseInit {
  const own = { 'x-ms-request-id': invocationId };
  const theirs = headers.get('x-ms-client-request-id') ?? '';
  const isWanted = /^true$/i.test(headers.get('x-ms-return-client-request-id') ?? '');
  // A header of ours holds no more than a GUID's like.
  const echoed = isWanted && /^[\w.:{}-]{1,128}$/.test(theirs) ? { 'x-ms-client-request-id': theirs } : {};
  return { ...answer, headers: { ...answer.headers, ...own, ...echoed } };
}
