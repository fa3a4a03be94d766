/**
 * Authentication of stored rows, byte by byte as docs/envelope.md says (INV-13): an HMAC-SHA-256 over the place of a
 * row, its data and its columns, under a subkey of an at-rest KEK. A writer of the tables cannot edit a row, or copy it
 * to another place, without detection. Pure.
 */
import { createHmac, createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';
import canonicalize from 'canonicalize';
import { equalText, lengthPrefixed, utf8, wipe } from '../base/bytes.ts';
import type { RowAddress } from '../base/damagedRow.ts';
import { type Kek, keyLength } from './accountKeyEnvelope.ts';

/** The authenticated content of a row. */
export interface RowContent {
  /** Canonical JSON (RFC 8785), as it is stored. */
  readonly data: string;
  /** Properties beside `data` that the service can filter by. */
  readonly columns: Readonly<Record<string, unknown>>;
}

/** base64url without padding: 43 characters. */
export const rowMac = (address: RowAddress, content: RowContent, kek: Kek): string =>
  digest(address, content, kek).toString('base64url');

export function isRowMac(mac: string, address: RowAddress, content: RowContent, kek: Kek): boolean {
  // Only the one text that `rowMac` gives: base64url has several for the same bytes.
  const expected = digest(address, content, kek).toString('base64url');
  return equalText(mac, expected);
}

/** @throws TypeError when the value has no canonical form */
export function canonicalText(value: unknown): string {
  const text = canonicalize(value);
  if (text === undefined) throw new TypeError('A row has no canonical form.');
  return text;
}

const noColumns = '{}';

function digest({ table, partitionKey, rowKey }: RowAddress, { data, columns }: RowContent, kek: Kek): Buffer {
  const named = Object.keys(columns).length === 0 ? noColumns : canonicalText(columns);
  const text = lengthPrefixed('keyward/row/1', table, partitionKey, rowKey, data, named);
  return createHmac('sha256', subkeyOf(kek)).update(text).digest();
}

/** Derived once for each KEK: the derivation costs more than an HMAC. */
const subkeys = new WeakMap<Kek, KeyObject>();

function subkeyOf(kek: Kek): KeyObject {
  const known = subkeys.get(kek);
  if (known !== undefined) return known;
  const bytes = new Uint8Array(hkdfSync('sha256', kek.key, new Uint8Array(0), utf8('keyward/row/1'), keyLength));
  const subkey = createSecretKey(bytes);
  wipe(bytes);
  subkeys.set(kek, subkey);
  return subkey;
}
