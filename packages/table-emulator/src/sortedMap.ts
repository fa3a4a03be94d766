/**
 * A map in the order of its keys, by UTF-16 code unit as the Table service orders them. The keys are held in chunks, so
 * that a million insertions in any order stay cheap.
 */
const chunkSize = 512;

export class SortedMap<V> {
  readonly #values = new Map<string, V>();
  readonly #chunks: string[][] = [];

  get size(): number {
    return this.#values.size;
  }

  get(key: string): V | undefined {
    return this.#values.get(key);
  }

  set(key: string, value: V): void {
    if (!this.#values.has(key)) this.#insert(key);
    this.#values.set(key, value);
  }

  delete(key: string): void {
    if (!this.#values.delete(key)) return;
    const at = this.#chunkOf(key);
    const chunk = this.#chunks[at] ?? [];
    chunk.splice(firstNotBelow(chunk, key), 1);
    if (chunk.length === 0) this.#chunks.splice(at, 1);
  }

  /** The entries with keys from `first` on. The map must not change between two of them. */
  *from(first: string): Generator<readonly [string, V]> {
    for (let at = this.#chunkOf(first); at < this.#chunks.length; at += 1) {
      const chunk = this.#chunks[at] ?? [];
      for (let index = firstNotBelow(chunk, first); index < chunk.length; index += 1) {
        const key = chunk[index] as string;
        yield [key, this.#values.get(key) as V];
      }
    }
  }

  #insert(key: string): void {
    const at = this.#chunkOf(key);
    const chunk = this.#chunks[at];
    if (chunk === undefined) {
      this.#chunks.push([key]);
      return;
    }
    chunk.splice(firstNotBelow(chunk, key), 0, key);
    if (chunk.length > chunkSize) this.#chunks.splice(at, 1, chunk.slice(0, chunkSize / 2), chunk.slice(chunkSize / 2));
  }

  /** The chunk that holds the key or where it belongs: the last one whose first key is not above it. */
  #chunkOf(key: string): number {
    let [low, high] = [0, this.#chunks.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#chunks[middle]?.[0] as string) <= key) low = middle + 1;
      else high = middle;
    }
    return Math.max(0, low - 1);
  }
}

function firstNotBelow(keys: readonly string[], key: string): number {
  let [low, high] = [0, keys.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((keys[middle] as string) < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
