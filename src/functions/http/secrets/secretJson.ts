/** The JSON that all kinds of secrets share. */
import * as z from 'zod';
import { orAbsent } from '../../pipeline/lenientInput.ts';

/**
 * A property that only the service sets. Keyward accepts and ignores it, so that a caller can send back what it has
 * read.
 */
export const readOnly = z.unknown().optional().meta({ readOnly: true });
export const resource = { id: readOnly, name: readOnly, type: readOnly, etag: readOnly, systemData: readOnly } as const;

/** Every reader sees the label, so it must not hold a secret. */
export const label = z.string().min(1).max(128).optional();
export const givenLabel = orAbsent(z.string().min(1).max(128));

/** In the path of job inputs and token keys (core/secrets/readSecret.ts). */
export const secretName = z.string().meta({
  description: 'In any case.',
  pattern: '^[A-Za-z0-9]([A-Za-z0-9._-]{0,126}[A-Za-z0-9_-])?$',
  examples: ['trailer'],
});
