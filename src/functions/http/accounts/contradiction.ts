/** The refusal of a body whose properties exclude each other, or need another. */

import { Refusal } from '../../../core/base/errors.ts';

export const contradiction = (target: string, message: string): Refusal =>
  new Refusal('InvalidRequestContent', message, { target });
