/**
 * `$filter` of a query (Microsoft, "Querying tables and entities"): comparisons of a property with a constant, `and`,
 * `or`, `not` and parentheses. A property that an entity lacks fits no comparison.
 */
import type { Entity } from './entity.ts';
import { refusal } from './errors.ts';

type Operator = 'eq' | 'ne' | 'gt' | 'ge' | 'lt' | 'le';
type Constant = string | number | boolean | bigint;
export type Filter =
  | { readonly kind: 'compare'; readonly property: string; readonly operator: Operator; readonly constant: Constant }
  | { readonly kind: 'and' | 'or'; readonly left: Filter; readonly right: Filter }
  | { readonly kind: 'not'; readonly of: Filter };

const token =
  /\s*(?:(?<typed>datetime|guid|X|binary)?'(?<text>(?:[^']|'')*)'|(?<parenthesis>[()])|(?<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)(?<long>L?)|(?<word>[A-Za-z_]\w*))\s*/y;
const operators: ReadonlySet<string> = new Set(['eq', 'ne', 'gt', 'ge', 'lt', 'le']);

interface Token {
  readonly word?: string;
  readonly constant?: Constant;
}

/** @throws TableError */
export function parseFilter(text: string): Filter {
  const tokens = tokensOf(text);
  let at = 0;
  const takes = (word: string): boolean => {
    if (tokens[at]?.word !== word) return false;
    at += 1;
    return true;
  };
  const either = (): Filter => {
    let left = both();
    while (takes('or')) left = { kind: 'or', left, right: both() };
    return left;
  };
  const both = (): Filter => {
    let left = one();
    while (takes('and')) left = { kind: 'and', left, right: one() };
    return left;
  };
  const one = (): Filter => {
    if (takes('not')) return { kind: 'not', of: one() };
    if (takes('(')) {
      const inner = either();
      if (!takes(')')) throw invalid();
      return inner;
    }
    const [property, operator, value] = [tokens[at]?.word, tokens[at + 1]?.word, tokens[at + 2]];
    const constant = value?.constant ?? booleans[value?.word ?? ''];
    if (property === undefined || operator === undefined || !operators.has(operator) || constant === undefined)
      throw invalid();
    at += 3;
    return { kind: 'compare', property, operator: operator as Operator, constant };
  };
  const filter = either();
  if (at < tokens.length) throw invalid();
  return filter;
}

const booleans: Readonly<Record<string, boolean | undefined>> = { true: true, false: false };
const invalid = () => refusal('InvalidInput', 'The query condition specified in the request is invalid.');

function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  for (token.lastIndex = 0; token.lastIndex < text.length; ) {
    const groups = token.exec(text)?.groups;
    if (groups === undefined) throw invalid();
    tokens.push(tokenOf(groups));
  }
  return tokens;
}

function tokenOf({
  typed,
  text,
  parenthesis,
  number,
  long,
  word,
}: Readonly<Record<string, string | undefined>>): Token {
  if (text !== undefined) return { constant: textConstant(typed, text.replaceAll("''", "'")) };
  if (number !== undefined) return { constant: long === 'L' ? BigInt(number) : Number(number) };
  return { word: parenthesis ?? word ?? '' };
}

/** In the form in which the service stores values of the type. */
function textConstant(type: string | undefined, text: string): string {
  switch (type) {
    case 'X':
    case 'binary':
      return Buffer.from(text, 'hex').toString('base64');
    default:
      return text;
  }
}

export function isMatch(filter: Filter, entity: Entity): boolean {
  switch (filter.kind) {
    case 'and':
      return isMatch(filter.left, entity) && isMatch(filter.right, entity);
    case 'or':
      return isMatch(filter.left, entity) || isMatch(filter.right, entity);
    case 'not':
      return !isMatch(filter.of, entity);
    case 'compare': {
      const order = compare(propertyOf(entity, filter.property), filter.constant);
      return order !== undefined && fits[filter.operator](order);
    }
  }
}

const fits: Readonly<Record<Operator, (order: number) => boolean>> = {
  eq: (order) => order === 0,
  ne: (order) => order !== 0,
  gt: (order) => order > 0,
  ge: (order) => order >= 0,
  lt: (order) => order < 0,
  le: (order) => order <= 0,
};

function propertyOf({ partitionKey, rowKey, timestamp, properties }: Entity, name: string): unknown {
  switch (name) {
    case 'PartitionKey':
      return partitionKey;
    case 'RowKey':
      return rowKey;
    case 'Timestamp':
      return timestamp;
    default:
      return properties[`${name}@odata.type`] === 'Edm.Int64' ? BigInt(String(properties[name])) : properties[name];
  }
}

/** Undefined where the two are of different types, and so fit no comparison. */
function compare(value: unknown, constant: Constant): number | undefined {
  const isNumeric = typeof value === 'number' || typeof value === 'bigint';
  const wantsNumber = typeof constant === 'number' || typeof constant === 'bigint';
  if (isNumeric ? !wantsNumber : typeof value !== typeof constant) return undefined;
  const known = value as Constant;
  return known < constant ? -1 : known > constant ? 1 : 0;
}

/** A range of keys outside which nothing can fit: both ends belong to it. */
export interface KeyRange {
  readonly from: string;
  readonly to: string | undefined;
}

const everything: KeyRange = { from: '', to: undefined };

export function rangeOf(filter: Filter, key: 'PartitionKey' | 'RowKey'): KeyRange {
  switch (filter.kind) {
    case 'not':
      return everything;
    case 'and':
      return overlap(rangeOf(filter.left, key), rangeOf(filter.right, key));
    case 'or':
      return hull(rangeOf(filter.left, key), rangeOf(filter.right, key));
    case 'compare':
      return filter.property === key && typeof filter.constant === 'string'
        ? comparisonRange(filter.operator, filter.constant)
        : everything;
  }
}

function comparisonRange(operator: Operator, constant: string): KeyRange {
  switch (operator) {
    case 'eq':
      return { from: constant, to: constant };
    case 'gt':
    case 'ge':
      return { from: constant, to: undefined };
    case 'lt':
    case 'le':
      return { from: '', to: constant };
    case 'ne':
      return everything;
  }
}

const overlap = (a: KeyRange, b: KeyRange): KeyRange => ({
  from: a.from > b.from ? a.from : b.from,
  to: a.to === undefined || (b.to !== undefined && b.to < a.to) ? b.to : a.to,
});

const hull = (a: KeyRange, b: KeyRange): KeyRange => ({
  from: a.from < b.from ? a.from : b.from,
  to: a.to === undefined || b.to === undefined ? undefined : a.to > b.to ? a.to : b.to,
});
