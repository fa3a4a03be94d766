/** A value as a store returns it. */

export interface Stored<T> {
  readonly value: T;
  readonly etag: string;
}

/** A row that keeps a chain's head, as it stands: `value` may be anything, and is undefined where nothing of ours is in it. */
export interface RawRow {
  readonly value: unknown;
}
