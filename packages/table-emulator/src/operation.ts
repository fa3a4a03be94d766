/** A request that changes an entity, alone or as a part of a batch, read into the operation of a table. */
import { refusal } from './errors.ts';
import { jsonIn, keyIn, type Request, targetOf } from './http.ts';
import type { Operation } from './table.ts';

export interface TableOperation {
  readonly tableName: string;
  readonly operation: Operation;
}

/** @throws TableError */
export function operationIn({ method, url, header, body }: Request): TableOperation {
  const { name: tableName, predicate } = targetOf(url);
  if (predicate === undefined) return { tableName, operation: insertion(method, body) };
  const key = keyIn(predicate);
  const ifMatch = header('if-match');
  switch (method) {
    case 'PUT':
      return { tableName, operation: { kind: 'replace', ...key, body: jsonIn(body), ifMatch } };
    case 'PATCH':
    case 'MERGE':
      return { tableName, operation: { kind: 'merge', ...key, body: jsonIn(body), ifMatch } };
    case 'DELETE':
      return { tableName, operation: { kind: 'delete', ...key, ifMatch } };
    default:
      throw refusal('NotImplemented');
  }
}

function insertion(method: string, text: string): Operation {
  if (method !== 'POST') throw refusal('NotImplemented');
  const body = jsonIn(text);
  const { PartitionKey: partitionKey, RowKey: rowKey } = body;
  if (typeof partitionKey !== 'string' || typeof rowKey !== 'string') throw refusal('PropertiesNeedValue');
  return { kind: 'insert', partitionKey, rowKey, body };
}
