/** The spans of the client, as a service with @opentelemetry/api sees them. */
import { type Attributes, type Span, SpanStatusCode, type Tracer, trace } from '@opentelemetry/api';
import { afterAll, expect, test } from 'vitest';
import { KeywardClient } from '../src/index.ts';
import { anyCredential, errorAnswer, keywardDouble, settableClock } from './support.ts';

interface Seen {
  readonly name: string;
  readonly attributes: Attributes;
  status?: unknown;
  hasEnded: boolean;
}

const seen: Seen[] = [];

/** Of a tracer, what the client uses. */
const tracer = {
  startActiveSpan(name: string, options: { attributes: Attributes }, work: (span: Span) => unknown) {
    const one: Seen = { name, attributes: { ...options.attributes }, hasEnded: false };
    seen.push(one);
    const span = {
      setAttribute: (key: string, value: string) => Object.assign(one.attributes, { [key]: value }),
      setStatus: (status: unknown) => Object.assign(one, { status }),
      end: () => Object.assign(one, { hasEnded: true }),
    };
    return work(span as unknown as Span);
  },
} as unknown as Tracer;

afterAll(() => trace.disable());

test('INV-9: each call to Keyward is a span with the account, the number of keys and the code of its failure, and nothing secret', async () => {
  trace.setGlobalTracerProvider({ getTracer: () => tracer });
  const clock = settableClock();
  const keyward = keywardDouble(clock);
  const client = new KeywardClient('https://keyward.example', anyCredential, { fetch: keyward.fetch, clock });
  const message = await client.encrypt('contoso', Buffer.from('a record'), { patient: 'jane' });
  client.close();
  keyward.next.push(() => errorAnswer(403, 'CustomerKeyInaccessible', { cause: 'KeyDisabled' }));
  await expect(client.decrypt('contoso', message, { patient: 'jane' })).rejects.toThrow();
  const attributes = { 'keyward.account': 'contoso', 'keyward.count': 1 };
  const code = 'CustomerKeyInaccessible';
  expect(seen).toEqual([
    { name: 'keyward generate', attributes, hasEnded: true },
    {
      name: 'keyward unwrap',
      attributes: { ...attributes, 'error.type': code },
      status: { code: SpanStatusCode.ERROR, message: code },
      hasEnded: true,
    },
  ]);
});
