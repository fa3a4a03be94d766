/** What the JSON of every kind of secret has in common. */
import * as z from 'zod';

/** What only the service sets: accepted and ignored, so that what was read can be sent back. */
export const readOnly = z.unknown().optional().meta({ readOnly: true });
export const resource = { id: readOnly, name: readOnly, type: readOnly, etag: readOnly, systemData: readOnly } as const;

/** Told to everybody who may read: no place for a secret. */
export const label = z.string().min(1).max(128).optional();

/** In the path of job inputs and token keys (core/secrets/read.ts). */
export const secretName = z.string().meta({
  description: 'Case does not matter.',
  pattern: '^[A-Za-z0-9]([A-Za-z0-9._-]{0,126}[A-Za-z0-9_-])?$',
  examples: ['trailer'],
});
