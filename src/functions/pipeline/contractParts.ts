/**
 * Schema parts that the contracts of many routes use. Formats inform readers and clients only; the core does the
 * parsing.
 */
import * as z from 'zod';
import { causes } from '../../core/base/causes.ts';
import { accountNamePattern, ownerPattern } from '../../core/base/names.ts';
import { maxPageSize } from './requestParams.ts';

/** UTC, with milliseconds. */
export const time = z.string().meta({ format: 'date-time' });
export const guid = z.string().meta({ format: 'uuid' });
export const count = z.int().min(0);
export const cause = z.enum(causes).meta({ id: 'Cause', description: 'The cause that a check of the key found.' });
export const whoActs = z
  .enum(['customer', 'operator', 'none'])
  .meta({ description: 'Who must act. `none`: no action is needed.' });
export const etag = z.string().meta({
  description: 'The value of the header ETag; send it back in If-Match.',
  pattern: '^".*"$',
});
export const owner = z.string().meta({ pattern: ownerPattern.source });
/** The name of an account in an answer. */
export const shownName = z.string().meta({ pattern: accountNamePattern.source });

export const keyIdentifier = z.string().meta({
  description: 'https://{vault}/keys/{key}, with or without a version.',
  maxLength: 300,
  examples: ['https://contoso-keys.vault.azure.net/keys/media'],
});
export const keyVersion = z.string().meta({ pattern: '^[0-9a-f]{32}$' });
export const versionExample = '2f1c0d9e8b7a46559483726150a1b2c3';

const principal = {
  principalId: guid
    .optional()
    .meta({ description: 'The object id of the identity that calls the vault; grants name it.' }),
  clientId: guid.optional(),
};

export const identity = z
  .union([
    z.strictObject({ ...principal, useSystemAssignedIdentity: z.literal(true) }),
    z.strictObject({ ...principal, useSystemAssignedIdentity: z.literal(false), userAssignedIdentity: z.string() }),
    z.strictObject({
      ...principal,
      useSystemAssignedIdentity: z.literal(false),
      userAssignedIdentity: z.string(),
      federatedIdentityClientId: guid,
      tenantId: guid,
    }),
  ])
  .meta({ id: 'Identity', description: 'The managed identity that reaches the key.' });

export const systemData = z
  .strictObject({ createdAt: time, lastModifiedAt: time })
  .meta({ id: 'SystemData', description: 'When it was created and last written.' });
export const systemDataExample = { createdAt: '2026-11-23T19:40:00.000Z', lastModifiedAt: '2026-11-23T19:41:00.000Z' };

export const accountName = z.string().meta({
  description: 'In any case.',
  pattern: accountNamePattern.source,
  examples: ['contoso-media'],
});

const top = z
  .int()
  .min(1)
  .max(maxPageSize)
  .optional()
  .meta({ description: 'The largest number of items in the page.', examples: [10] });
const skipToken = z.string().optional().meta({ description: 'The value from nextLink, unchanged.' });
export const paging = { $top: top, $skipToken: skipToken } as const;

/** One page of a list. A page can hold fewer items than requested and still not be the last one. */
export function pageOf(id: string, item: z.ZodType, examples: readonly unknown[], more: z.ZodRawShape = {}) {
  const nextLink = z.string().optional().meta({ format: 'uri', description: 'Absent on the last page.' });
  return z
    .strictObject({ value: z.array(item).meta({ maxItems: maxPageSize }), ...more, nextLink })
    .meta({ id, examples: [{ value: examples }] });
}
