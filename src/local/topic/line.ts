/** An announcement as one line for people: what happened, to what, and the most important facts. */
import type { CloudEvent } from './topic.ts';

const told = ['cause', 'before', 'after', 'key', 'keyReleasedBy', 'expiresOn', 'accounts', 'ring'];

export function lineOf({ type, subject = '', data }: CloudEvent): string {
  const facts = Object.entries((data ?? {}) as Record<string, unknown>).filter(([name]) => told.includes(name));
  const keyIdentifier = (data as { keyIdentifier?: string } | undefined)?.keyIdentifier;
  const about = keyIdentifier === undefined ? subject : keyIdentifier;
  return [type, about, ...facts.map(([name, value]) => `${name} ${shortened(String(value))}`)].join(', ');
}

/** A version has 32 hex digits. Eight of them are enough to distinguish two versions. */
const shortened = (text: string): string => text.replace(/\b([0-9a-f]{8})[0-9a-f]{24}\b/, '$1');
