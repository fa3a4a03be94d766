/** An error as JSON, in the shape of Azure Resource Manager (RPC contract, "Error response content"). */

import * as z from 'zod';
import { defined } from '../../core/base/defined.ts';
import { errorCodes, type KeywardError } from '../../core/base/errors.ts';

const code = z.enum(errorCodes).meta({ id: 'ErrorCode', description: 'One of a closed list. The message may change.' });
const target = z.string().optional().meta({ description: 'The parameter or property that is wrong.' });

/** One of several findings of an error, or a warning. */
export const errorDetail = z
  .strictObject({ code: z.enum([...errorCodes, 'KeyNearExpiry']), message: z.string(), target })
  .meta({ id: 'ErrorDetail' });

export const errorAnswer = z
  .strictObject({
    error: z.strictObject({
      code,
      message: z.string().min(1),
      target,
      details: z.array(errorDetail).optional(),
      additionalInfo: z
        .array(
          z.strictObject({
            type: z.literal('Keyward'),
            info: z
              .record(z.string(), z.union([z.string(), z.number()]))
              .meta({ description: 'Flat facts for programs, among them `cause`.' }),
          }),
        )
        .optional(),
    }),
  })
  .meta({
    id: 'ErrorAnswer',
    examples: [
      {
        error: {
          code: 'InvalidParameter',
          message:
            'An account name has 3 to 64 letters, digits and hyphens, and begins and ends with a letter or digit.',
          target: 'accountName',
        },
      },
    ],
  });

export function renderError({ code, message, extras }: KeywardError) {
  const { target, details, info } = extras;
  return {
    error: {
      code,
      message,
      ...defined({ target, details }),
      ...(info === undefined ? {} : { additionalInfo: [{ type: 'Keyward', info }] }),
    },
  };
}
