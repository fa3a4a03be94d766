/**
 * Makes the MACs of rows again under the newest at-rest KEK, a page at a time, so that older KEKs can be destroyed.
 */

import type { Keks } from '../core/crypto/keks.ts';
import type { RenewedPage } from '../core/reseal/ports.ts';
import type { RowAuthenticator } from './rowAuthentication.ts';
import { contentOf, type Entity, entityOf, etagOf, keyOf } from './rowForm.ts';
import { odata, type TableEntity } from './sdk/tables.ts';
import type { TableConnection } from './tableConnection.ts';
import { unlessLost } from './tableErrors.ts';

const renewedAtOnce = 50;

/**
 * One page of the rows that are under an at-rest KEK older than `generation`. `after`: the `next` of the page before. A
 * page can be empty and have a `next`, because Table Storage reads the whole table.
 */
export async function renewPage(
  connection: TableConnection,
  authenticator: RowAuthenticator,
  generation: number,
  after?: string,
): Promise<RenewedPage> {
  const filter = odata`v eq 2 and generation lt ${generation}`;
  const page = await connection.request(async (client) => {
    const from = after === undefined ? {} : { continuationToken: after };
    const pages = client.listEntities({ queryOptions: { filter } }).byPage({ maxPageSize: renewedAtOnce, ...from });
    return (await pages.next()).value ?? [];
  });
  const keks = await authenticator.keks();
  const results = await Promise.all(
    (page as Entity[]).map((entity) => renewRow(connection, authenticator, entity, keks)),
  );
  const count = (of: 'renewed' | 'damaged') => results.filter((result) => result === of).length;
  const { continuationToken: next } = page as { continuationToken?: string };
  const counts = { found: results.length, renewed: count('renewed'), damaged: count('damaged') };
  return next === undefined ? counts : { ...counts, next };
}

async function renewRow(
  connection: TableConnection,
  authenticator: RowAuthenticator,
  entity: Entity,
  keks: Keks,
): Promise<'renewed' | 'damaged' | 'changed'> {
  const key = keyOf(entity);
  if (authenticator.valueOf(key, entity, keks) === undefined) return 'damaged';
  const { generation, mac } = entityOf(connection.name, contentOf(entity), keks);
  const renewed = { ...key, generation, mac } as TableEntity;
  const etag = etagOf(entity);
  const saved = await unlessLost(() => connection.request((client) => client.updateEntity(renewed, 'Merge', { etag })));
  return saved === undefined ? 'changed' : 'renewed';
}
