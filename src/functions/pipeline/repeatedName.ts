/**
 * Finds a name that an object of a JSON text has twice. JSON.parse takes the last of the two silently, and RFC 8259,
 * section 4 leaves open which one counts, so a proxy or a log can show another value than the one that Keyward uses.
 */

export interface RepeatedName {
  /** `properties.owner`; an item of a list is its index. */
  readonly path: string;
  /** Where the second one begins, counted from 1. */
  readonly position: number;
}

interface Level {
  /** Absent where this is a list. */
  readonly names?: Set<string>;
  /** The name or index of the present value. */
  at: string | number;
}

const tokens = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],]/g;

/** The text is valid JSON. Undefined when every name occurs once. */
export function repeatedNameIn(text: string): RepeatedName | undefined {
  const levels: Level[] = [];
  let isNameNext = false;
  for (const { 0: token, index } of text.matchAll(tokens)) {
    const level = levels.at(-1);
    if (token === '{') levels.push({ names: new Set(), at: '' });
    else if (token === '[') levels.push({ at: 0 });
    else if (token === '}' || token === ']') levels.pop();
    else if (token === ',' && typeof level?.at === 'number') level.at++;
    else if (isNameNext && level?.names !== undefined) {
      // Escapes can write one name in several ways.
      level.at = JSON.parse(token) as string;
      if (level.names.has(level.at)) return { path: levels.map(({ at }) => at).join('.'), position: index + 1 };
      level.names.add(level.at);
    }
    isNameNext = token === '{' || token === ',';
  }
  return undefined;
}
