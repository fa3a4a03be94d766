/**
 * Prints the share of sentences that need a rewrite in plain English: `node tools/language.ts [glob ...]`. It reads the
 * prose of documents, the comments of sources, and the titles of tests. test/language.test.ts asserts the limits for
 * the files that `rewritten` names. The rules are in CONTRIBUTING.md, "Language".
 */
import { globSync, readFileSync } from 'node:fs';
import { sep } from 'node:path';

/** Globs of the files whose text follows the rules: the whole repository. */
export const rewritten: readonly string[] = [
  '*.md',
  'docs/**/*.md',
  '.github/**/*.md',
  'infra/**/*.md',
  'packages/*/README.md',
  'examples/**/*.md',
  '*.ts',
  '{src,packages,console,bench,infra,test,tools,examples}/**/*.{ts,tsx}',
];

/** Documents under `rewritten` that do not follow the rules yet. */
export const notRewritten: readonly string[] = [];

/** Words that no text may have. */
export const forbidden =
  /\b(?:whoever|nobody|somebody|anybody|everybody|told|anew|meanwhile|mend(?:s|ed|ing)?|stands in|is asked|by itself|by themselves|goes on)\b/i;

/**
 * Phrases that hide the actor or turn the sentence around. A few are right in their place, so only their share is
 * limited.
 */
const markers: readonly RegExp[] = [
  forbidden,
  /\bwhatever\b/i,
  // An actor without a name: "Who reads the tables must not …", "What is left is …".
  /^(?:who|what|whose) (?:is|are|was|were|has|have|had|can|may|does|did|reads?|writes?|calls?|stands?|comes?|goes)\b(?!.*\?)(?: \S+){3}/i,
  /\bfor (?:who|what) (?:is|are|was|has|have|does)\b/i,
  /\b(?:is|are|was|were|be|been) (?:kept|asked|told|let in|let go|taken for|passed by|gone by|seen to|held (?:to|against|up))\b/i,
  /\b(?:tells?|telling)\b(?!.*\bapart\b)/i,
  /\b(?:of ours|of our own|none of ours|our own trouble|trouble|troubles)\b/i,
  /\b(?:stands?|stood|lies?|lay) (?:in|under|beside|behind|there|for)\b/i,
  /\b(?:going|went|go|goes|gone) on\b/i,
  /\b(?:comes?|came) (?:about|by|to the same)\b/i,
  /\bin the place of\b|\btakes? the place\b/i,
  /\b(?:hasten|bury|buried|tend(?:s|ed)?(?! to)|look after|looks after|fate|wish(?:es)?|noting|forgetful)\b/i,
  /\b(?:none|nothing|not one) (?:that|which) is\b|\bthat is none\b/i,
  /\bbut for\b|\bnor is\b/i,
  /\bas it (?:is|was|were)$/i,
];

const hasMarker = (sentence: string): boolean => markers.some((marker) => marker.test(sentence));

export interface Finding {
  readonly file: string;
  readonly sentence: string;
}

export interface Report {
  readonly sentences: number;
  readonly marked: readonly Finding[];
  readonly forbidden: readonly Finding[];
}

/** Every sentence of prose in a file. Code, addresses and the quoted text of others are left out. */
export function sentencesOf(file: string, text: string): string[] {
  const prose = file.endsWith('.md') ? paragraphsOf(text) : [...commentsOf(text), ...titlesOf(text)];
  return prose
    .map(withoutQuotes)
    .flatMap((paragraph) => paragraph.split(/(?<=[.!?:;])\s+/))
    .map((sentence) => sentence.trim())
    .filter((sentence) => /[a-z]{2,} [a-z]{2,}/i.test(sentence));
}

const withoutQuotes = (text: string): string =>
  text
    .replaceAll(/`[^`]*`/g, '…')
    .replaceAll(/"[^"]*"/g, '…')
    .replaceAll(/\]\([^)]*\)/g, ']')
    .replaceAll(/https?:\S*[^\s.,;:)]/g, '…')
    .replaceAll(/[*_[\]]|^#+ /gm, '');

/** A table cell and a list item are paragraphs of their own. */
function paragraphsOf(markdown: string): string[] {
  const lines = markdown
    .replaceAll(/^ *```[\s\S]*?^ *```$/gm, '')
    .replaceAll(/<!--[\s\S]*?-->/g, '')
    .replaceAll(/^ *>.*$/gm, '')
    .replaceAll(/^ *\|[\s:|-]+\|$/gm, '')
    .replaceAll(/^( *)(?:[-*]|\d+\.) /gm, '\n$1')
    .replaceAll(/^(#.*|\*\*\d.*)$/gm, '$1\n')
    .split('\n');
  const cells = lines.map((line) => (/^ *\|/.test(line) ? `\n${line.split('|').join('\n\n')}\n` : line));
  return cells
    .join('\n')
    .split(/\n\s*\n/)
    .map(inOneLine);
}

const inOneLine = (text: string): string => text.replaceAll(/\s+/g, ' ').trim();

function commentsOf(source: string): string[] {
  const blocks = [...source.matchAll(/^\s*\/\*\*?([\s\S]*?)\*\//gm)].flatMap(([, text = '']) =>
    text.replaceAll(/^\s*\* ?/gm, '').split(/\n\s*\n/),
  );
  const lines = source.replaceAll(/^\s*\/\*\*?[\s\S]*?\*\//gm, '').replaceAll(/\n\s*\/\/ ?/g, '\n// ');
  const ends = [...lines.matchAll(/(?:^|\s)\/\/ (.*(?:\n\/\/ .*)*)/g)].map(([, text = '']) =>
    text.replaceAll('\n// ', ' '),
  );
  return [...blocks, ...ends].map(inOneLine);
}

/** A string that a function follows: `it('title', () => …`, also behind `it.each(…)`. */
const titlesOf = (source: string): string[] =>
  [...source.matchAll(/\(\s*(['"`])((?:\\.|(?!\1)[^\\])+)\1,\s*(?:\{[^}]*\},\s*)?(?:async )?(?:\(|\w+ =>)/g)].map(
    ([, , title = '']) => inOneLine(title),
  );

export function reportOf(root: string, globs: readonly string[], except: readonly string[] = []): Report {
  const files = globSync([...globs], { cwd: root, exclude: (name) => name === 'node_modules' })
    .map((file) => file.split(sep).join('/'))
    .filter((file) => !except.includes(file));
  const all = files
    .toSorted()
    .flatMap((file) =>
      sentencesOf(file, readFileSync(`${root}/${file}`, 'utf8')).map((sentence) => ({ file, sentence })),
    );
  return {
    sentences: all.length,
    marked: all.filter(({ sentence }) => hasMarker(sentence)),
    forbidden: all.filter(({ sentence }) => forbidden.test(sentence)),
  };
}

if (import.meta.main) {
  const globs = process.argv.slice(2);
  const root = globs.length === 0 ? `${import.meta.dirname}/..` : '.';
  const { sentences, marked } = reportOf(root, globs.length === 0 ? rewritten : globs, notRewritten);
  for (const { file, sentence } of marked) console.log(`${file}: ${sentence}`);
  console.log(`${marked.length} of ${sentences} sentences need a rewrite: ${percent(marked.length, sentences)}`);
}

function percent(part: number, whole: number): string {
  return `${((100 * part) / Math.max(1, whole)).toFixed(1)} %`;
}
