/**
 * JSON of these contracts has at most about ten levels. Deeper input would exhaust the stack of the code that walks it.
 */
const maxDepth = 50;

interface Contents {
  /** The names of properties. */
  readonly names: readonly string[];
  readonly texts: readonly string[];
}

/** All names and values in some JSON, at any depth; undefined when it is deeper than `maxDepth`. */
export function contentsOf(value: unknown): Contents | undefined {
  const [names, texts]: [string[], string[]] = [[], []];
  const left: [value: unknown, depth: number][] = [[value, 1]];
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    const [inner, depth] = next;
    if (typeof inner === 'string') texts.push(inner);
    if (typeof inner !== 'object' || inner === null) continue;
    if (depth > maxDepth) return undefined;
    if (!Array.isArray(inner)) names.push(...Object.keys(inner));
    for (const one of Object.values(inner)) left.push([one, depth + 1]);
  }
  return { names, texts };
}

export const tooDeep = `This is nested more than ${maxDepth} levels deep. Send a flatter value.`;
