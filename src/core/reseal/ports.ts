/** What the reseal capability needs from outside. */

export interface RenewedPage {
  /** Rows under an older KEK. */
  readonly found: number;
  readonly renewed: number;
  /** Of those found, not as Keyward wrote them: they stay as they are. */
  readonly damaged: number;
  /** Absent on the last page. */
  readonly next?: string;
}

/** The MACs of stored rows, which are under the at-rest ring (INV-13). */
export interface RowRenewal {
  /** In the order in which a pass goes over them. */
  readonly tables: readonly string[];
  /**
   * Puts the rows of a page that are under a KEK before `generation` under the newest one. `after`: the `next` of the page
   * before it. A page can be empty and have a `next`.
   */
  renew(table: string, generation: number, after?: string): Promise<RenewedPage>;
}
