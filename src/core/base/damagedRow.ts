/** A stored row that is not as Keyward wrote it: edited, copied to another row key, or of an unknown form (INV-13). */
import { KeywardError } from './errors.ts';

/** The address of a stored row. `table` has no prefix: `accounts`. */
export interface RowPlace {
  readonly table: string;
  readonly partitionKey: string;
  readonly rowKey: string;
}

/** The address as the operator's calls, logs and audit entries show it. */
export const placeText = ({ table, partitionKey, rowKey }: RowPlace): string => `${table}/${partitionKey}/${rowKey}`;

/** Keyward does not act on the row and does not replace it. Other rows are not affected. */
export class DamagedRow extends KeywardError {
  override readonly name = 'DamagedRow';
  readonly place: RowPlace;

  constructor(place: RowPlace) {
    super(
      'StateDamaged',
      `The stored row '${placeText(place)}' is not as Keyward wrote it, so Keyward does not use it. Nothing was changed. Restore the row from a back-up.`,
      { info: { row: placeText(place) } },
    );
    this.place = place;
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
