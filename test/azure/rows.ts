/** Authentication of rows for tests of single stores: one KEK, and a list of what was reported. */
import { randomBytes } from 'node:crypto';
import type { RowAuthentication } from '../../src/azure/rowAuthentication.ts';
import { bytesOf } from '../../src/core/base/bytes.ts';
import { addressText } from '../../src/core/base/damagedRow.ts';

export function rowAuthentication(): RowAuthentication & { readonly reported: string[] } {
  const kek = { generation: 1, key: bytesOf(randomBytes(32)) };
  const reported: string[] = [];
  return {
    reported,
    keks: async () => ({ newest: kek, kek: () => kek }),
    auditKeks: async () => ({ newest: kek, kek: () => kek }),
    report: (place) => void reported.push(addressText(place)),
    rejected: () => undefined,
  };
}
