/** A request and an answer of the Table service, without what only a network needs. */
import type { EntityKey, Properties } from './entity.ts';
import { refusal } from './errors.ts';

export interface Request {
  readonly method: string;
  readonly url: string;
  /** By lower-case name. */
  readonly header: (name: string) => string | undefined;
  readonly body: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What the last segment of a path names. */
export interface Target {
  readonly name: string;
  /** In parentheses behind the name. */
  readonly predicate: string | undefined;
}

const segment = /^(?<name>\$?\w+)(?:\((?<predicate>.*)\))?$/s;
const keyPredicate = /^PartitionKey='(?<partitionKey>(?:[^']|'')*)',RowKey='(?<rowKey>(?:[^']|'')*)'$/s;
const namePredicate = /^'(?<name>\w*)'$/;

/** @throws TableError */
export function targetOf(url: string): Target {
  const [path = ''] = url.split('?', 1);
  const groups = segment.exec(decodeURIComponent(path.slice(path.lastIndexOf('/') + 1)))?.groups;
  if (groups?.name === undefined) throw refusal('InvalidInput', 'The path names neither a table nor an entity.');
  return { name: groups.name, predicate: groups.predicate || undefined };
}

/** @throws TableError */
export function keyIn(predicate: string): EntityKey {
  const { partitionKey, rowKey } = keyPredicate.exec(predicate)?.groups ?? {};
  if (partitionKey === undefined || rowKey === undefined) throw refusal('InvalidInput', 'The path names no entity.');
  return { partitionKey: partitionKey.replaceAll("''", "'"), rowKey: rowKey.replaceAll("''", "'") };
}

export const tableNameIn = (predicate: string): string => namePredicate.exec(predicate)?.groups?.name ?? '';

/** @throws TableError */
export function jsonIn(body: string): Properties {
  try {
    const value: unknown = JSON.parse(body);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Properties;
  } catch {
    // Refused below.
  }
  throw refusal('InvalidInput', 'The body is not the JSON of an entity.');
}

export const jsonAnswer = (status: number, value: unknown, headers: Answer['headers'] = {}): Answer => ({
  status,
  headers: { 'content-type': 'application/json;odata=minimalmetadata', ...headers },
  body: JSON.stringify(value),
});

export const noContent = (headers: Answer['headers'] = {}): Answer => ({ status: 204, headers, body: '' });
