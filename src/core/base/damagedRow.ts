/** A stored row that is not as Keyward wrote it: edited, copied to another place, or of an unknown form (INV-13). */
import { KeywardError } from './errors.ts';

/** Where a row is stored. `table` has no prefix: `accounts`. */
export interface RowPlace {
  readonly table: string;
  readonly partitionKey: string;
  readonly rowKey: string;
}

/** As the operator's calls, logs and audit entries name it. */
export const placeText = ({ table, partitionKey, rowKey }: RowPlace): string => `${table}/${partitionKey}/${rowKey}`;

/** Nothing acts on the row, and nothing replaces it. Other rows are not affected. */
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
