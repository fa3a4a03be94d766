/** The rules of CONTRIBUTING.md, "Language", for the files that tools/language.ts lists as rewritten. */
import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { forbidden, notRewritten, reportOf, rewritten, sentencesOf } from '../tools/language.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const inOneLine = ({ file, sentence }: { file: string; sentence: string }) => `${file}: ${sentence}`;

describe('the rewritten files', () => {
  const report = reportOf(root, rewritten, notRewritten);

  it('the rewritten files have no sentence with a forbidden word', () => {
    expect(report.forbidden.map(inOneLine)).toEqual([]);
  });

  it('the rewritten files have a phrase that hides the actor in less than 1 % of their sentences', () => {
    expect(report.sentences).toBeGreaterThan(2000);
    const share = report.marked.length / report.sentences;
    expect(share, report.marked.map(inOneLine).join('\n')).toBeLessThan(0.01);
  });
});

describe('the documents', () => {
  it('the documents wrap their prose at 120 columns', () => {
    const documents = globSync(
      rewritten.filter((glob) => glob.endsWith('.md')),
      { cwd: root },
    );
    const long = documents
      .filter((file) => !notRewritten.includes(file))
      .flatMap((file) => proseLines(readFileSync(root + file, 'utf8')).map((line) => `${file}: ${line}`));
    expect(long).toEqual([]);
  });
});

/** Lines over 120 columns that a line break could shorten: no table, no code, no address or command of that length. */
const proseLines = (markdown: string): string[] =>
  markdown
    .replaceAll(/^ *```[\s\S]*?^ *```$/gm, '')
    .split('\n')
    .filter((line) => line.length > 120 && !/^ *\|/.test(line))
    .filter(
      (line) => line.replaceAll(/`[^`]*`|\]\([^)]*\)/g, (kept) => kept.replaceAll(' ', '_')).lastIndexOf(' ', 120) > 4,
    );

const markdown = `# The purpose of this page

Keyward reads the row. It
writes the entry.

> Somebody else wrote this.

- A list item with \`nobody in code\` and "nobody in quotes".

| who acts | what to do |
| --- | --- |
| the customer | enable the key |

\`\`\`sh
echo nobody reads this
\`\`\`
`;

const source = `
/**
 * Returns the row, see https://example.com//path. Never
 * throws an error.
 */
export const row = 'https://example.com'; // The caller wipes it.

// A worker reads this
// line and the next one.
it.each(rows)('a caller without a role receives 403', async () => {});
test('a customer revokes the key', () => {});
log.info('Nobody reads a message here');
`;

describe('sentencesOf', () => {
  it('sentencesOf returns the prose of a document without code and quotes, a cell and an item alone', () => {
    expect(sentencesOf('a.md', markdown)).toEqual([
      'The purpose of this page',
      'Keyward reads the row.',
      'It writes the entry.',
      'A list item with … and ….',
      'who acts',
      'what to do',
      'the customer',
      'enable the key',
    ]);
  });

  it('sentencesOf returns the comments and the test titles of a source', () => {
    expect(sentencesOf('a.ts', source)).toEqual([
      'Returns the row, see ….',
      'Never throws an error.',
      'The caller wipes it.',
      'A worker reads this line and the next one.',
      'a caller without a role receives 403',
      'a customer revokes the key',
    ]);
  });
});

describe('forbidden', () => {
  it.each(['The row is there for whoever reads it', 'It mends itself', 'The process goes on', 'He was told so'])(
    'forbidden finds the word in: %s',
    (sentence) => {
      expect(forbidden.test(sentence)).toBe(true);
    },
  );

  it.each(['The amendment is recommended', 'A stand-in is used', 'The caller asked twice'])(
    'forbidden finds no word in: %s',
    (sentence) => {
      expect(forbidden.test(sentence)).toBe(false);
    },
  );
});
