/** A stored row that is not as Keyward wrote it: edited, copied to another row key, or of an unknown form (INV-13). */
import { KeywardError } from './errors.ts';

/** The address of a stored row. `table` has no prefix: `accounts`. */
export interface RowAddress {
  readonly table: string;
  readonly partitionKey: string;
  readonly rowKey: string;
}

/** The address as the operator's calls, logs and audit entries show it. */
export const addressText = ({ table, partitionKey, rowKey }: RowAddress): string =>
  `${table}/${partitionKey}/${rowKey}`;

/** Keyward does not act on the row and does not replace it. Other rows are not affected. */
export class DamagedRow extends KeywardError {
  override readonly name = 'DamagedRow';
  readonly address: RowAddress;

  constructor(address: RowAddress) {
    super(
      'StateDamaged',
      `The stored row '${addressText(address)}' is not as Keyward wrote it, so Keyward does not use it. Nothing was changed. Restore the row from a back-up.`,
      { info: { row: addressText(address) } },
    );
    this.address = address;
  }
}

/** For a reader that a damaged row must not stop. */
export async function unlessDamaged<Row>(read: Promise<Row>): Promise<Row | 'damaged'> {
  try {
    return await read;
  } catch (error) {
    if (error instanceof DamagedRow) return 'damaged';
    throw error;
  }
}
