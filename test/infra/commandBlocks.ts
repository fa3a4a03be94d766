/** The command blocks of the documents. */
const block = /^( *)```sh\n([\s\S]*?)^ *```$/gm;

export interface Section {
  readonly title: string;
  readonly text: string;
}

export function sectionsOf(markdown: string): readonly Section[] {
  const [, ...sections] = markdown.split(/^(?=## )/m);
  return sections.map((text) => ({ title: /^## (.+)$/m.exec(text)?.[1] ?? '', text }));
}

/** The lines of each block, as a person pastes them. */
export function blocksIn(markdown: string): readonly string[] {
  return [...markdown.matchAll(block)].map(([, indent = '', code = '']) =>
    code.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
  );
}

/** Blocks, then inline code. */
export function codeIn(markdown: string): readonly string[] {
  const inline = markdown.replaceAll(/^ *```[\s\S]*?^ *```$/gm, '').matchAll(/`([^`\n]+)`/g);
  return [...blocksIn(markdown), ...[...inline].map(([, code = '']) => code)];
}

/** With a word for each `<placeholder>`. */
export const filled = (code: string): string => code.replaceAll(/<\w[^<>\n]*>/g, 'placeholder');
