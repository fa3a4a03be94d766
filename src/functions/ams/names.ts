/** Contracts that are kept as they came are at most about ten deep. What comes after this would take whoever walks it too deep. */
const maxDepth = 50;

interface Contents {
  /** Of properties. */
  readonly names: readonly string[];
  readonly texts: readonly string[];
}

/** What stands in some JSON, at any depth; undefined where that is more than anything in the contract has. */
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

export const tooDeep = `This is nested more than ${maxDepth} deep.`;
