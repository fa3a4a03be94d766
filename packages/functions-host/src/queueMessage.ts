/**
 * What becomes of one storage queue message: its text, what the handler learns about it, and where it goes after a run
 * (WebJobs SDK, Microsoft.Azure.WebJobs.Extensions.Storage.Queues: QueueListener, QueueProcessor).
 */
import type { DequeuedMessageItem } from '@azure/storage-queue';
import type { Invocation } from './invoke.ts';
import type { TypedData } from './rpc.ts';

const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** Undefined when the message is not in the encoding that host.json promises. */
export function decodeText(text: string, encoding: 'base64' | 'none'): string | undefined {
  if (encoding === 'none') return text;
  return base64.test(text) ? Buffer.from(text, 'base64').toString('utf8') : undefined;
}

function ownProperties(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {};
  } catch {
    return {};
  }
}

const typed = (value: unknown): TypedData =>
  typeof value === 'string' ? { string: value } : { json: JSON.stringify(value) };

/**
 * The message's own top-level properties are merged over the facts about it, names ignoring case: so a sender can give
 * `dequeueCount` any value, and a handler must not trust it (Utility.ApplyBindingData).
 */
export function metadataOf(message: DequeuedMessageItem, text: string): Record<string, TypedData> {
  const facts: Record<string, TypedData> = {
    QueueTrigger: { string: text },
    Id: { string: message.messageId },
    DequeueCount: { int: message.dequeueCount },
    InsertionTime: { json: JSON.stringify(message.insertedOn) },
    ExpirationTime: { json: JSON.stringify(message.expiresOn) },
    NextVisibleTime: { json: JSON.stringify(message.nextVisibleOn) },
    PopReceipt: { string: message.popReceipt },
  };
  for (const [name, value] of Object.entries(ownProperties(text))) {
    const spelling = Object.keys(facts).find((key) => key.toLowerCase() === name.toLowerCase()) ?? name;
    facts[spelling] = typed(value);
  }
  return facts;
}

/** The worker makes JSON of the text when it is JSON: also of digits, which then lose precision. */
export const messageInvocation = (message: DequeuedMessageItem, text: string): Invocation => ({
  data: { string: text },
  triggerMetadata: metadataOf(message, text),
});

export type Fate = 'Delete' | 'Release' | 'Poison';

/** A poison queue has no poison queue of its own: what fails there comes back until it expires. */
export function fateOf(
  succeeded: boolean,
  dequeueCount: number,
  queue: { name: string; maxDequeueCount: number },
): Fate {
  if (succeeded) return 'Delete';
  if (queue.name.endsWith('-poison')) return 'Release';
  return dequeueCount >= queue.maxDequeueCount ? 'Poison' : 'Release';
}

/** The pause after the `empty`th poll in a row that found nothing: doubling from 100 ms, a fifth of chance in it. */
export function pollPause(empty: number, maxMs: number, random: number): number {
  const ms = 100 * 2 ** Math.min(empty - 1, 20) * (0.8 + 0.4 * random);
  return Math.min(maxMs, Math.max(100, ms));
}
