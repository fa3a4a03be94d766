/** An announcement as one line of the log: the type, the subject, and the facts that a reader needs. */
import type { CloudEvent } from './topic.ts';

const shown = ['cause', 'before', 'after', 'key', 'keyReleasedBy', 'expiresOn', 'accounts', 'ring'];

export function lineOf({ type, subject = '', data }: CloudEvent): string {
  const facts = Object.entries((data ?? {}) as Record<string, unknown>).filter(([name]) => shown.includes(name));
  const keyIdentifier = (data as { keyIdentifier?: string } | undefined)?.keyIdentifier;
  const about = keyIdentifier === undefined ? subject : keyIdentifier;
  return [type, about, ...facts.map(([name, value]) => `${name} ${shortened(String(value))}`)].join(', ');
}

/** Shortens a version of 32 hex digits to 8, which are enough to distinguish versions. */
const shortened = (text: string): string => text.replace(/\b([0-9a-f]{8})[0-9a-f]{24}\b/, '$1');
