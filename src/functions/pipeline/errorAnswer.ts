/**
 * Turns an error into a status, a body and headers. No other file does. The answer to an unexpected error has only its
 * request id.
 */
import type { HttpRequest, HttpResponseInit, InvocationContext } from '@azure/functions';
import { defined } from '../../core/base/defined.ts';
import { describeError, KeywardError, statusOf, Unavailable } from '../../core/base/errors.ts';
import { measure } from '../../core/base/metrics.ts';
import { challengeFor } from './authorize.ts';
import { renderError } from './errorJson.ts';
import { log } from './service.ts';

export function answerOf(error: unknown, request: HttpRequest, context: InvocationContext): HttpResponseInit {
  measure(log, 'keyward.refusals', 1, { code: error instanceof KeywardError ? error.code : 'InternalError' });
  if (error instanceof KeywardError)
    return { status: statusOf(error.code), headers: headersOf(error, request), jsonBody: renderError(error) };
  // Keyward wrote the text of a settings error. The text of any other error may hold what a caller sent.
  const isSettings = error instanceof Error && error.name === 'SettingsError';
  log.error('A call failed', { error: isSettings ? error.message : describeError(error), frames: framesOf(error) });
  return internalError(context.invocationId);
}

function headersOf(error: KeywardError, request: HttpRequest): Record<string, string> {
  return defined({
    'Retry-After': error instanceof Unavailable ? String(error.retryAfterSeconds) : undefined,
    'WWW-Authenticate': error.code === 'AuthenticationFailed' ? challengeFor(request) : undefined,
    Allow: error.extras.allow?.join(', '),
  }) as Record<string, string>;
}

const internalError = (requestId: string): HttpResponseInit => ({
  status: 500,
  jsonBody: {
    error: {
      code: 'InternalError',
      message: `An unexpected error occurred. Give the operator the request id ${requestId}.`,
    },
  },
});

const framesOf = (error: unknown): string =>
  error instanceof Error
    ? (error.stack ?? '')
        .split('\n')
        .filter((line) => /^\s+at /.test(line))
        .slice(0, 6)
        .join('')
    : '';
