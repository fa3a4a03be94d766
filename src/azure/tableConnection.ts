/** The connection to one table: its requests, with the errors of the core, and rows as the table has them. */

import type { EpochMs } from '../core/base/time.ts';
import type { Entity, RowKey } from './rowForm.ts';
import type { TableClient } from './sdk/tables.ts';
import { isFromStorage, isWithoutTable, NotThere, Rejected, translated, unavailable } from './tableErrors.ts';
import type { TableName } from './tableNames.ts';

/** What Keyward uses of the SDK's client. */
export type TableRequests = Pick<
  TableClient,
  | 'createTable'
  | 'getEntity'
  | 'listEntities'
  | 'createEntity'
  | 'upsertEntity'
  | 'updateEntity'
  | 'deleteEntity'
  | 'submitTransaction'
> & { readonly pipeline: Pick<TableClient['pipeline'], 'addPolicy'> };

/** Why no table but that of the rings may be used: the settings do not name all accounts of the state. */
export interface Refusal {
  reason: Error | undefined;
}

/** A table that is missing is created with its first request, so that a new storage account needs no script. */
export class TableConnection {
  readonly name: TableName;
  readonly #open: () => TableRequests;
  readonly #rejected: (table: string, code: string) => void;
  readonly #refusal: Refusal;
  #client: TableRequests | undefined;
  #creation: Promise<void> | undefined;
  /** The service's time of its last answer. */
  #answeredAt: EpochMs | undefined;

  /**
   * @param open makes the client with the first request: most calls of a process that starts use few tables.
   * @param rejected reports that the Table service refused what Keyward sent. `code` is a word of the service.
   */
  constructor(
    name: TableName,
    open: () => TableRequests,
    rejected: (table: string, code: string) => void,
    refusal: Refusal,
  ) {
    this.name = name;
    this.#open = open;
    this.#rejected = rejected;
    this.#refusal = refusal;
  }

  /** @throws NotThere when the row is missing @throws LostRace @throws Unavailable @throws Rejected */
  async request<R>(operation: (client: TableRequests) => Promise<R>): Promise<R> {
    if (this.#refusal.reason !== undefined && this.name !== 'rings') throw this.#refusal.reason;
    this.#client ??= this.#opened();
    const client = this.#client;
    try {
      return await operation(client).catch(async (error: unknown) => {
        if (!isWithoutTable(error)) throw error;
        await this.#create(client);
        return operation(client);
      });
    } catch (error) {
      const thrown = translated(error);
      if (thrown instanceof Rejected) this.#rejected(this.name, thrown.tableCode);
      throw thrown;
    }
  }

  async readEntity({ partitionKey, rowKey }: RowKey): Promise<Entity | undefined> {
    try {
      return await this.request((client) => client.getEntity(partitionKey, rowKey));
    } catch (error) {
      if (error instanceof NotThere) return undefined;
      throw error;
    }
  }

  /**
   * At most `limit` rows in key order that pass the filter, not verified: for a reader that verifies them with keys of
   * its own.
   */
  queryEntities(filter: string, limit: number): Promise<Entity[]> {
    return this.request(async (client) => {
      const entities: Entity[] = [];
      const pages = client.listEntities({ queryOptions: { filter } }).byPage({ maxPageSize: Math.min(limit, 1000) });
      for await (const page of pages) {
        entities.push(...page.slice(0, limit - entities.length));
        if (entities.length === limit) return entities;
      }
      return entities;
    });
  }

  /** By the clock of the Table service, whose header has whole seconds. At most a second too much. */
  ageOf(writtenAt: EpochMs): number {
    return (this.#answeredAt ?? Date.now()) + 999 - writtenAt;
  }

  /** All tables that were opened together, until the rings have been read again. */
  refuseOthers(reason: Error | undefined): void {
    this.#refusal.reason = reason;
  }

  #opened(): TableRequests {
    const client = this.#open();
    client.pipeline.addPolicy({
      name: 'timeOfTheService',
      sendRequest: async (request, next) => {
        const response = await next(request);
        const answeredAt = Date.parse(response.headers.get('date') ?? '');
        if (!Number.isNaN(answeredAt)) this.#answeredAt = answeredAt;
        return response;
      },
    });
    return client;
  }

  /** Calls at the same time share one creation. When it fails, the next call repeats it. */
  async #create(client: TableRequests): Promise<void> {
    this.#creation ??= client.createTable().finally(() => {
      this.#creation = undefined;
    });
    try {
      await this.#creation;
    } catch (error) {
      throw isFromStorage(error) ? unavailable(error) : error;
    }
  }
}
