/**
 * The inline constraints of ASP.NET Core route templates, as the Functions host applies them to `{name:constraint}`
 * (Microsoft.AspNetCore.Routing.Constraints; learn.microsoft.com/aspnet/core/fundamentals/routing#route-constraints).
 */

export type Constraint = (value: string) => boolean;

const wholeNumber = /^\s*[+-]?\d+\s*$/;
const decimalNumber = /^\s*[+-]?(\d[\d,]*\.?\d*|\.\d+)\s*$/;
const floatNumber = /^\s*[+-]?(\d[\d,]*\.?\d*|\.\d+)(e[+-]?\d+)?\s*$/i;
// What System.Guid.TryParse takes: bare, with dashes, in braces or in parentheses.
const guid =
  /^(?:[\da-f]{32}|[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}|\{[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}\}|\([\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}\))$/i;

function isWhole(value: string, bits: 32n | 64n): boolean {
  if (!wholeNumber.test(value)) return false;
  const number = BigInt(value.trim().replace(/^\+/, ''));
  const limit = 1n << (bits - 1n);
  return number >= -limit && number < limit;
}

type Maker = (args: string) => Constraint | undefined;

const none =
  (check: Constraint): Maker =>
  (args) =>
    args === '' ? check : undefined;

/** Whole-number arguments; undefined when their count or form is wrong. */
function numbers(args: string, counts: number[]): number[] | undefined {
  const parts = args.split(',').map((part) => part.trim());
  return counts.includes(parts.length) && parts.every((part) => /^-?\d+$/.test(part)) ? parts.map(Number) : undefined;
}

const withNumbers =
  (counts: number[], make: (first: number, last: number) => Constraint): Maker =>
  (args) => {
    const found = numbers(args, counts);
    const first = found?.[0];
    return found === undefined || first === undefined ? undefined : make(first, found.at(-1) ?? first);
  };

const makers: Record<string, Maker> = {
  int: none((value) => isWhole(value, 32n)),
  long: none((value) => isWhole(value, 64n)),
  bool: none((value) => /^\s*(true|false)\s*$/i.test(value)),
  datetime: none((value) => !Number.isNaN(Date.parse(value))),
  decimal: none((value) => decimalNumber.test(value)),
  double: none((value) => floatNumber.test(value)),
  float: none((value) => floatNumber.test(value)),
  guid: none((value) => guid.test(value.trim())),
  alpha: none((value) => /^[a-z]*$/i.test(value)),
  required: none((value) => value !== ''),
  length: withNumbers([1, 2], (min, max) => (value) => value.length >= min && value.length <= max),
  minlength: withNumbers([1], (min) => (value) => value.length >= min),
  maxlength: withNumbers([1], (max) => (value) => value.length <= max),
  min: withNumbers([1], (min) => (value) => isWhole(value, 64n) && BigInt(value.trim()) >= BigInt(min)),
  max: withNumbers([1], (max) => (value) => isWhole(value, 64n) && BigInt(value.trim()) <= BigInt(max)),
  range: withNumbers(
    [2],
    (min, max) => (value) =>
      isWhole(value, 64n) && BigInt(value.trim()) >= BigInt(min) && BigInt(value.trim()) <= BigInt(max),
  ),
  // Not anchored, and case does not count: RegexRouteConstraint.
  regex: (args) => {
    const expression = new RegExp(args, 'i');
    return (value) => expression.test(value);
  },
};

/** Throws for a constraint that ASP.NET Core does not know, or with the wrong arguments. */
export function constraint(text: string): Constraint {
  const match = /^(\w+)(?:\((.*)\))?$/s.exec(text);
  const maker = match?.[1] === undefined ? undefined : makers[match[1].toLowerCase()];
  if (maker === undefined) throw new Error(`'${text}' is not a route constraint`);
  const made = maker(match?.[2] ?? '');
  if (made === undefined) throw new Error(`'${text}' has the wrong arguments`);
  return made;
}
