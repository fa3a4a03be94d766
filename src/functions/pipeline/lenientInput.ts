/**
 * Schema parts that accept what tools print: `null` for an absent value, and the values of an enumeration in any case.
 */
import * as z from 'zod';
import { fold } from '../../core/base/names.ts';

/** ARM's services compare enumerations without case, and Microsoft's own examples use both cases. */
export const anyCase = <const Values extends readonly [string, ...string[]]>(values: Values) =>
  z.preprocess((value) => {
    const isText = typeof value === 'string';
    return isText ? (values.find((one) => fold(one) === fold(value)) ?? value) : value;
  }, z.enum(values));

export const orAbsent = <T extends z.ZodType>(schema: T) =>
  schema
    .nullish()
    .transform((value) => (value ?? undefined) as z.output<T> | undefined)
    .optional();
