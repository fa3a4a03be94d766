/** The Table service of one storage account: requests in, answers out, everything in memory. */
import { randomUUID } from 'node:crypto';
import { batchAnswer, maxOperations, type PartAnswer, requestsIn } from './batch.ts';
import { type EntityKey, entityJson, etagOf } from './entity.ts';
import { errorBody, refusal, TableError } from './errors.ts';
import { parseFilter } from './filter.ts';
import { type Answer, jsonAnswer, jsonIn, keyIn, noContent, type Request, tableNameIn, targetOf } from './http.ts';
import { operationIn } from './operation.ts';
import { type Operation, Table } from './table.ts';
import { createTimestamps } from './timestamps.ts';

export type Service = (request: Request) => Answer;

const maxBodyBytes = 4 * 1024 * 1024;
const maxPageSize = 1000;
const tableName = /^[A-Za-z][A-Za-z0-9]{2,62}$/;

export function createService(now: () => number): Service {
  const nextTimestamp = createTimestamps(now);
  /** By lower-case name: the names of tables do not distinguish case. */
  const tables = new Map<string, { readonly name: string; readonly table: Table }>();

  function tableNamed(name: string): Table {
    const known = tables.get(name.toLowerCase());
    if (known === undefined) throw refusal('TableNotFound');
    return known.table;
  }

  function answerForTables({ method, body }: Request, predicate: string | undefined): Answer {
    if (method === 'GET' && predicate === undefined)
      return jsonAnswer(200, { value: [...tables.values()].map(({ name }) => ({ TableName: name })) });
    if (method === 'DELETE' && predicate !== undefined) {
      if (!tables.delete(tableNameIn(predicate).toLowerCase())) throw refusal('ResourceNotFound');
      return noContent();
    }
    if (method !== 'POST' || predicate !== undefined) throw refusal('NotImplemented');
    const name = String(jsonIn(body).TableName);
    if (!tableName.test(name) || name.toLowerCase() === 'tables') throw refusal('InvalidResourceName');
    if (tables.has(name.toLowerCase())) throw refusal('TableAlreadyExists');
    tables.set(name.toLowerCase(), { name, table: new Table(nextTimestamp) });
    return jsonAnswer(201, { TableName: name });
  }

  function answerForBatch({ body }: Request): Answer {
    const [text, type] = batchAnswer(randomUUID(), answersForParts(requestsIn(body)));
    return { status: 202, headers: { 'content-type': type }, body: text };
  }

  /** All of them, or one refusal and no effect. */
  function answersForParts(requests: readonly Request[]): PartAnswer[] {
    let index = 0;
    try {
      if (requests.length > maxOperations)
        throw refusal('InvalidInput', 'The batch request operation exceeds the maximum 100 changes per change set.');
      const seen = new Set<string>();
      let partition: string | undefined;
      const prepared = requests.map((request, at) => {
        index = at;
        const { tableName, operation } = operationIn(request);
        partition ??= operation.partitionKey;
        if (operation.partitionKey !== partition) throw refusal('CommandsInBatchActOnDifferentPartitions');
        if (seen.has(operation.rowKey)) throw refusal('InvalidDuplicateRow');
        seen.add(operation.rowKey);
        const table = tableNamed(tableName);
        return { table, operation, entity: table.prepare(operation) };
      });
      return prepared.map(({ table, operation, entity }) => {
        if (entity === undefined) table.remove(operation);
        else table.put(entity);
        return { etag: entity && etagOf(entity) };
      });
    } catch (error) {
      if (error instanceof TableError) return [{ refused: error, index }];
      throw error;
    }
  }

  function answerForEntity(request: Request, name: string, predicate: string | undefined): Answer {
    const table = tableNamed(name);
    if (request.method !== 'GET') return changed(table, operationIn(request).operation);
    if (predicate === undefined) return pageOf(table, new URLSearchParams(request.url.split('?')[1]));
    const entity = table.get(keyIn(predicate));
    if (entity === undefined) throw refusal('ResourceNotFound');
    return jsonAnswer(200, entityJson(entity), { etag: etagOf(entity) });
  }

  return (request) => {
    try {
      if (Buffer.byteLength(request.body) > maxBodyBytes) throw refusal('RequestBodyTooLarge');
      const { name, predicate } = targetOf(request.url);
      if (name === 'Tables') return answerForTables(request, predicate);
      if (name === '$batch') return answerForBatch(request);
      return answerForEntity(request, name, predicate);
    } catch (error) {
      if (!(error instanceof TableError)) throw error;
      const headers = { 'content-type': 'application/json;odata=minimalmetadata', 'x-ms-error-code': error.code };
      return { status: error.status, headers, body: errorBody(error, error.message) };
    }
  };
}

function changed(table: Table, operation: Operation): Answer {
  const entity = table.prepare(operation);
  if (entity === undefined) {
    table.remove(operation);
    return noContent();
  }
  table.put(entity);
  const etag = { etag: etagOf(entity) };
  return noContent(operation.kind === 'insert' ? { ...etag, 'preference-applied': 'return-no-content' } : etag);
}

function pageOf(table: Table, query: URLSearchParams): Answer {
  const text = query.get('$filter');
  const top = query.get('$top') ?? String(maxPageSize);
  if (!/^[1-9]\d*$/.test(top) || Number(top) > maxPageSize)
    throw refusal('InvalidInput', '$top is not from 1 to 1000.');
  const select = query.get('$select');
  const names = select === null ? undefined : new Set(select.split(','));
  const filter = text === null ? undefined : parseFilter(text);
  const { entities, next } = table.page(filter, Number(top), firstKeyIn(query));
  const value = entities.map((entity) => entityJson(entity, names));
  return jsonAnswer(200, { value }, next === undefined ? {} : continuation(next));
}

const encode = (key: string): string => Buffer.from(key).toString('base64');
const decode = (token: string): string => Buffer.from(token, 'base64').toString();

const continuation = ({ partitionKey, rowKey }: EntityKey): Answer['headers'] => ({
  'x-ms-continuation-nextpartitionkey': encode(partitionKey),
  'x-ms-continuation-nextrowkey': encode(rowKey),
});

function firstKeyIn(query: URLSearchParams): EntityKey | undefined {
  const partitionKey = query.get('NextPartitionKey');
  if (partitionKey === null) return undefined;
  return { partitionKey: decode(partitionKey), rowKey: decode(query.get('NextRowKey') ?? '') };
}
