/** A time in a plain row, which any writer of the table can change. */

import type { EpochMs } from '../core/base/time.ts';

/** Any number can be in a plain row, and a date of JavaScript has a smaller range. */
export const isTime = (value: unknown): value is EpochMs =>
  typeof value === 'number' && !Number.isNaN(new Date(value).getTime());
