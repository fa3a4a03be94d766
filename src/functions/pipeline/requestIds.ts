/**
 * The ids that every answer carries: Keyward's own, and the caller's when the caller requests it (ARM, "Common client
 * request headers").
 */
import type { HttpRequest, HttpResponseInit, InvocationContext } from '@azure/functions';

export function withRequestIds(
  answer: HttpResponseInit,
  { headers }: HttpRequest,
  { invocationId }: InvocationContext,
  more: Readonly<Record<string, string>> = {},
): HttpResponseInit {
  const own = { 'x-ms-request-id': invocationId };
  const theirs = headers.get('x-ms-client-request-id') ?? '';
  const isWanted = /^true$/i.test(headers.get('x-ms-return-client-request-id') ?? '');
  // Keyward echoes only text that looks like a GUID or a similar id, so that a caller cannot choose the header's
  // content.
  const echoed = isWanted && /^[\w.:{}-]{1,128}$/.test(theirs) ? { 'x-ms-client-request-id': theirs } : {};
  return { ...answer, headers: { ...answer.headers, ...more, ...own, ...echoed } };
}
