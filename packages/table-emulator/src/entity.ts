/**
 * Entities as the Table service stores them, and its limits (Microsoft, "Understanding the Table service data model"
 * and "Scalability and performance targets for Table storage").
 */
import { refusal } from './errors.ts';

/** Properties as in the JSON of the wire: a type that JSON lacks is named by `<name>@odata.type` beside the value. */
export type Properties = Readonly<Record<string, unknown>>;

export interface EntityKey {
  readonly partitionKey: string;
  readonly rowKey: string;
}

export interface Entity extends EntityKey {
  readonly properties: Properties;
  /** ISO 8601 in UTC with seven decimals, as the service writes it. */
  readonly timestamp: string;
}

const systemProperties: ReadonlySet<string> = new Set(['PartitionKey', 'RowKey', 'Timestamp']);
const typeSuffix = '@odata.type';
const isMetadata = (name: string): boolean => name.startsWith('odata.') || name.endsWith(typeSuffix);

export const etagOf = ({ timestamp }: Entity): string => `W/"datetime'${encodeURIComponent(timestamp)}'"`;

/** `/ \ # ?` and control characters. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: the rule is about control characters.
const forbiddenInKeys = /[/\\#?\u0000-\u001f\u007f-\u009f]/;
/** 1 KiB in UTF-16. */
const maxKeyLength = 512;

/** @throws TableError */
export function checkKey({ partitionKey, rowKey }: EntityKey): void {
  for (const [name, key] of Object.entries({ PartitionKey: partitionKey, RowKey: rowKey })) {
    if (forbiddenInKeys.test(key)) throw refusal('OutOfRangeInput', `The '${name}' parameter is out of range.`);
    if (key.length > maxKeyLength) throw refusal('KeyValueTooLarge');
  }
}

const maxPropertyBytes = 64 * 1024;
const maxEntityBytes = 1024 * 1024;
const maxProperties = 252;

/**
 * The properties of a body that are stored: without keys, metadata of the answer, and those without a value. @throws
 * TableError
 */
export function storedProperties(body: Properties): Properties {
  const names = Object.keys(body).filter((name) => !systemProperties.has(name) && !isMetadata(name));
  const stored: Record<string, unknown> = {};
  for (const name of names) {
    const value = body[name];
    if (value === null) continue;
    if (typeof value === 'object') throw refusal('InvalidInput', `The property ${name} has no value of a known type.`);
    const type = body[`${name}${typeSuffix}`];
    if (type !== undefined) stored[`${name}${typeSuffix}`] = type;
    stored[name] = value;
  }
  return stored;
}

/** @throws TableError */
export function checkSize({ partitionKey, rowKey }: EntityKey, properties: Properties): void {
  const names = Object.keys(properties).filter((name) => !isMetadata(name));
  if (names.length > maxProperties) throw refusal('TooManyProperties');
  let total = 4 + 2 * (partitionKey.length + rowKey.length);
  for (const name of names) {
    const size = bytesOf(properties[name], properties[`${name}${typeSuffix}`]);
    if (size > maxPropertyBytes) throw refusal('PropertyValueTooLarge');
    total += 8 + 2 * name.length + size;
  }
  if (total > maxEntityBytes) throw refusal('EntityTooLarge');
}

function bytesOf(value: unknown, type: unknown): number {
  if (typeof value !== 'string') return 8;
  switch (type) {
    case 'Edm.Binary':
      return Buffer.byteLength(value, 'base64');
    case undefined:
    case 'Edm.String':
      return 2 * value.length;
    default:
      return 8;
  }
}

/** The JSON of an entity in an answer, with minimal metadata; `select` holds the names that a query asks for. */
export function entityJson(entity: Entity, select?: ReadonlySet<string>): Properties {
  const { partitionKey: PartitionKey, rowKey: RowKey, properties, timestamp: Timestamp } = entity;
  const all = { PartitionKey, RowKey, ...properties, Timestamp };
  const isSelected = (name: string) => select === undefined || select.has(name.replace(typeSuffix, ''));
  return {
    'odata.etag': etagOf(entity),
    ...Object.fromEntries(Object.entries(all).filter(([name]) => isSelected(name))),
  };
}
