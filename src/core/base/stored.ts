/** A value as a store returns it. */

export interface Stored<T> {
  readonly value: T;
  readonly etag: string;
}

/** A row that can be damaged (INV-13): then it has no value. */
export interface RawRow<T> {
  readonly value: T | undefined;
}
