/** Any text, for properties that generate it. */
import fc from 'fast-check';

/** Any code point without a surrogate. */
const codePoint = fc.integer({ min: 0, max: 0x10ffff - 0x800 }).map((n) => (n < 0xd800 ? n : n + 0x800));

/**
 * Text of any code points, and the names that JavaScript gives a meaning, which `fc.string` adds. `fc.string` with the
 * unit `binary` takes two seconds to build a table of all code points.
 */
export const anyText = (maxLength: number): fc.Arbitrary<string> =>
  fc.oneof(
    {
      weight: 3,
      arbitrary: fc.array(codePoint, { maxLength }).map((points) => String.fromCodePoint(...points)),
    },
    { weight: 1, arbitrary: fc.string({ maxLength }) },
  );
