/**
 * Decisions about one storage queue message: its text, the metadata for the handler, and its next step after a run
 * (WebJobs SDK, Microsoft.Azure.WebJobs.Extensions.Storage.Queues: QueueListener, QueueProcessor).
 */
import type { DequeuedMessageItem } from '@azure/storage-queue';
import type { Invocation } from './invoke.ts';
import type { TypedData } from './rpc.ts';

const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** `NotBase64` fails before the function is known, `NotUtf8` when the binding converts the bytes to text. */
export type Decoded = { kind: 'Text'; text: string } | { kind: 'NotBase64' } | { kind: 'NotUtf8' };

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export function decodeText(text: string, encoding: 'base64' | 'none'): Decoded {
  if (encoding === 'none') return { kind: 'Text', text };
  if (!base64.test(text)) return { kind: 'NotBase64' };
  try {
    return { kind: 'Text', text: utf8.decode(Buffer.from(text, 'base64')) };
  } catch {
    return { kind: 'NotUtf8' };
  }
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
 * The host merges the message's own top-level properties over the metadata, and names ignore case. A sender can thus
 * give `dequeueCount` any value, and a handler must not trust it (Utility.ApplyBindingData).
 */
function metadataOf(message: DequeuedMessageItem, text: string): Record<string, TypedData> {
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

/** The worker parses text that is JSON, digits included, which then lose precision. */
export const messageInvocation = (message: DequeuedMessageItem, text: string): Invocation => ({
  data: { string: text },
  triggerMetadata: metadataOf(message, text),
});

/**
 * `Leave`: the message stays hidden for the rest of its 10 minutes, because the host neither deletes nor releases it.
 */
export type NextStep = 'Delete' | 'Release' | 'Poison' | 'Leave';

interface QueueRules {
  name: string;
  maxDequeueCount: number;
}

/** A poison queue has no poison queue of its own. */
const isPoisonQueue = (queue: QueueRules): boolean => queue.name.endsWith('-poison');

/** The step before any run, for a message that is not run at all; undefined: run it. */
export function stepBeforeRun(decoded: Decoded, dequeueCount: number, queue: QueueRules): NextStep | undefined {
  // A process that died on its last attempt has left the message, which is not tried again.
  if (decoded.kind !== 'NotBase64' && dequeueCount <= queue.maxDequeueCount) return undefined;
  return isPoisonQueue(queue) ? 'Leave' : 'Poison';
}

export function stepAfterRun(succeeded: boolean, dequeueCount: number, queue: QueueRules): NextStep {
  if (succeeded) return 'Delete';
  // Without this a failing handler of a poison queue would run again at once, without end.
  if (isPoisonQueue(queue)) return 'Leave';
  return dequeueCount >= queue.maxDequeueCount ? 'Poison' : 'Release';
}

/** The pause after the `empty`th empty poll in a row: doubling from 100 ms, with 20 % jitter. */
export function pollPause(empty: number, maxMs: number, random: number): number {
  const ms = 100 * 2 ** Math.min(empty - 1, 20) * (0.8 + 0.4 * random);
  return Math.min(maxMs, Math.max(100, ms));
}
