/** A span for each request, by @opentelemetry/api when the service has it. Without it nothing is recorded. */
import type { Span } from '@opentelemetry/api';
import { KeywardError } from './errors.ts';

type Api = typeof import('@opentelemetry/api');

let loading: Promise<Api | undefined> | undefined;

/** Codes and counts only. Of keys, contexts and account data, only the account's name is recorded. */
export async function inSpan<T>(
  operation: string,
  attributes: Readonly<Record<string, string | number>>,
  work: () => Promise<T>,
): Promise<T> {
  loading ??= import('@opentelemetry/api').catch(() => undefined);
  const api = await loading;
  if (api === undefined) return work();
  const tracer = api.trace.getTracer('@keyward/client');
  return tracer.startActiveSpan(`keyward ${operation}`, { kind: api.SpanKind.CLIENT, attributes }, (span) =>
    ended(span, api, work),
  );
}

async function ended<T>(span: Span, api: Api, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const code = error instanceof KeywardError ? error.code : 'unknown';
    span.setAttribute('error.type', code);
    span.setStatus({ code: api.SpanStatusCode.ERROR, message: code });
    throw error;
  } finally {
    span.end();
  }
}
