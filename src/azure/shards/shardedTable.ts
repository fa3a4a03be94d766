/**
 * One table in several storage accounts, with what Keyward uses of the SDK's client. A partition is in one account, and
 * the Table service has no transaction over partitions, so each write has one place. A query that names its partition
 * goes to one account, and any other query to all of them.
 */

import { Unavailable } from '../../core/base/errors.ts';
import type { TableClient, TableEntity } from '../sdk/tables.ts';
import type { TableRequests } from '../tableConnection.ts';
import { isMoving, isWhole, type Layout, ownerOf } from './layout.ts';
import type { LayoutReader } from './layoutReader.ts';
import { mergedPages } from './mergedPages.ts';

/** The partition that the filter names. Undefined: the query may find rows of several. */
export function partitionIn(filter: string | undefined): string | undefined {
  const [, text, rest = ''] = /^PartitionKey eq '((?:[^']|'')*)'(?: and (.*))?$/s.exec(filter ?? '') ?? [];
  const hasAlternatives = / or /.test(rest.replaceAll(/'(?:[^']|'')*'/g, ''));
  return text === undefined || hasAlternatives ? undefined : text.replaceAll("''", "'");
}

const movesNow = (): Unavailable =>
  new Unavailable(
    'StorageUnavailable',
    'These rows are being moved to another storage account, and cannot be changed now. Retry after 30 seconds.',
    30,
  );

const layoutChanged = (): Unavailable =>
  new Unavailable('StorageUnavailable', 'Rows were moved to another storage account during this query. Retry.', 1);

/** @param clients of this table in each account, in the order of the settings */
export function shardedTable(
  name: string,
  clients: readonly TableClient[],
  { read: readLayout }: Pick<LayoutReader, 'read'>,
): TableRequests {
  const clientAt = (index: number): TableClient => clients[index] ?? outOfRange(index);
  const placeIn = (layout: Layout, partitionKey: string) => (isWhole(name) ? 0 : ownerOf(layout, partitionKey));

  const readable = async (partitionKey: string) => clientAt(placeIn(await readLayout(), partitionKey));
  const writable = async (partitionKey: string) => {
    const layout = await readLayout();
    if (!isWhole(name) && isMoving(layout, partitionKey)) throw movesNow();
    return clientAt(placeIn(layout, partitionKey));
  };

  async function* pagesOf<T extends object>(
    options: Parameters<TableClient['listEntities']>[0],
    settings: { maxPageSize?: number; continuationToken?: string },
  ) {
    const layout = await readLayout();
    const partition = isWhole(name) ? '' : partitionIn(options?.queryOptions?.filter);
    if (partition !== undefined) {
      yield* clientAt(placeIn(layout, partition)).listEntities<T>(options).byPage(settings);
      return;
    }
    const sources = Array.from({ length: layout.accounts }, (_, index) => ({
      async page(continuationToken: string | undefined) {
        if ((await readLayout()).revision !== layout.revision) throw layoutChanged();
        const from = continuationToken === undefined ? {} : { continuationToken };
        const pages = clientAt(index)
          .listEntities<T>(options)
          .byPage({ ...settings, continuationToken: undefined, ...from } as typeof settings);
        return (await pages.next()).value ?? [];
      },
      has: ({ partitionKey = '' }: { partitionKey?: string }) => ownerOf(layout, partitionKey) === index,
    }));
    yield* mergedPages(sources, layout.revision, settings);
  }

  const requests = {
    pipeline: {
      addPolicy: (...policy: Parameters<TableClient['pipeline']['addPolicy']>) => {
        for (const client of clients) client.pipeline.addPolicy(...policy);
      },
    },

    async createTable() {
      const { accounts } = await readLayout();
      const used = clients.slice(0, isWhole(name) ? 1 : accounts);
      await Promise.all(used.map((client) => client.createTable()));
    },

    getEntity: async (partitionKey: string, rowKey: string, ...more: []) =>
      (await readable(partitionKey)).getEntity(partitionKey, rowKey, ...more),

    listEntities(options: Parameters<TableClient['listEntities']>[0]) {
      async function* rows() {
        for await (const page of pagesOf(options, {})) yield* page;
      }
      return Object.assign(rows(), { byPage: (settings = {}) => pagesOf(options, settings) });
    },

    createEntity: async (entity: TableEntity) => (await writable(entity.partitionKey)).createEntity(entity),
    upsertEntity: async (entity: TableEntity, ...more: []) =>
      (await writable(entity.partitionKey)).upsertEntity(entity, ...more),
    updateEntity: async (entity: TableEntity, ...more: []) =>
      (await writable(entity.partitionKey)).updateEntity(entity, ...more),
    deleteEntity: async (partitionKey: string, rowKey: string, ...more: []) =>
      (await writable(partitionKey)).deleteEntity(partitionKey, rowKey, ...more),
    submitTransaction: async (actions: Parameters<TableClient['submitTransaction']>[0]) =>
      (await writable(actions[0]?.[1].partitionKey ?? '')).submitTransaction(actions),
  };
  return requests as unknown as TableRequests;
}

function outOfRange(index: number): never {
  throw new TypeError(`The layout names account ${index}, which the settings do not have.`);
}
