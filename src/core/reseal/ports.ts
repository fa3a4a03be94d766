/** What the reseal capability needs from outside. */

export interface RenewedPage {
  /** Rows under an older KEK. */
  readonly found: number;
  readonly renewed: number;
  /** Those of the found rows that are not as Keyward wrote them. They stay unchanged. */
  readonly damaged: number;
  /** Absent on the last page. */
  readonly next?: string;
}

/** The MACs of stored rows, which the at-rest ring protects (INV-13). */
export interface RowRenewal {
  /** In the order in which a pass processes them. */
  readonly tables: readonly string[];
  /**
   * Puts the rows of a page whose KEK is older than `generation` under the newest KEK. `after`: the `next` of the
   * previous page. A page can be empty and still have a `next`.
   */
  renew(table: string, generation: number, after?: string): Promise<RenewedPage>;
}
