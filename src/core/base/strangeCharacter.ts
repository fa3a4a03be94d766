/** Which character of a text cannot be there, as a message names it: people cannot see most of them. */
const characterNames: Readonly<Record<string, string>> = {
  '\n': 'a line break',
  '\r': 'a carriage return',
  '\t': 'a tab',
  ' ': 'a space',
  '\\': 'a backslash',
  '\0': 'a null character',
  '\u00a0': 'a no-break space',
  '\u00ad': 'a soft hyphen',
  '\u200b': 'a zero-width space',
  '\u200c': 'a zero-width non-joiner',
  '\u200d': 'a zero-width joiner',
  '\u2060': 'a word joiner',
  '\ufeff': 'a byte order mark',
};

/**
 * `a line break (U+000A) at position 46, the end`. Positions count from 1. Undefined: every character can be in a URL,
 * or is one of those that the caller takes.
 */
export function strangeCharacterIn(text: string, strange = /[^\x21-\x7e]|\\/): string | undefined {
  const index = text.search(strange);
  if (index === -1) return undefined;
  const [character = ''] = text.slice(index);
  const code = (text.codePointAt(index) ?? 0).toString(16).toUpperCase().padStart(4, '0');
  const name = characterNames[character] ?? (/[\x21-\x7e]/.test(character) ? `'${character}'` : 'the character');
  const isEnd = text.slice(index).trim() === '' || index === text.length - 1;
  return `${name} (U+${code}) at position ${index + 1}${isEnd ? ', the end' : ''}`;
}

/** ` It holds a line break (U+000A) at position 5, the end.` Empty when no character is strange. */
export function whatItHolds(text: string, strange: RegExp): string {
  const character = strangeCharacterIn(text, strange);
  return character === undefined ? '' : ` It holds ${character}.`;
}
