/**
 * The pages of several accounts as those of one table: in key order, each row from the account that has its range. A
 * page ends where an account has more rows that are not read yet, so it can be shorter than requested, or empty, as a
 * page of the Table service can be.
 */

export interface Keys {
  readonly partitionKey?: string;
  readonly rowKey?: string;
}

export type SourcePage<T> = T[] & { continuationToken?: string };

export interface Source<T> {
  /** @param token of the page before; undefined is the first page */
  page(token: string | undefined): Promise<SourcePage<T>>;
  /** Another account has the ranges of the other rows. */
  has(row: T): boolean;
}

interface Reading<T> {
  readonly source: Source<T>;
  /** Of the page in `rows`. */
  token: string | undefined;
  next: string | undefined;
  rows: T[] | undefined;
  isDone: boolean;
}

/**
 * Where the next page begins: the token of each account's page, empty for its first one and null when all are read, and
 * the keys of the last row.
 */
interface Position {
  readonly revision: number;
  readonly tokens: readonly (string | null)[];
  readonly after?: readonly [string, string];
}

const isBehind = (row: Keys, [partitionKey, rowKey]: readonly [string, string]): boolean =>
  row.partitionKey === partitionKey ? (row.rowKey ?? '') > rowKey : (row.partitionKey ?? '') > partitionKey;

const keysOf = ({ partitionKey = '', rowKey = '' }: Keys): readonly [string, string] => [partitionKey, rowKey];

/**
 * @param revision of the layout. A position of another revision is void, because its rows may be elsewhere now: the
 * pages begin again.
 */
export async function* mergedPages<T extends Keys>(
  sources: readonly Source<T>[],
  revision: number,
  { maxPageSize = 1000, continuationToken }: { maxPageSize?: number; continuationToken?: string },
): AsyncGenerator<SourcePage<T>> {
  const start = positionIn(continuationToken);
  const { tokens, after: last } = start?.revision === revision ? start : { tokens: [], after: undefined };
  let after = last;
  const readings = sources.map((source, index): Reading<T> => {
    const token = tokens[index];
    return { source, token: token || undefined, next: undefined, rows: undefined, isDone: token === null };
  });

  for (;;) {
    await Promise.all(readings.map((reading) => fill(reading, after)));
    const page: SourcePage<T> = [];
    while (page.length < maxPageSize && readings.every(({ rows, next }) => rows?.length !== 0 || next === undefined)) {
      const first = smallest(readings);
      const row = first?.rows?.shift();
      if (row === undefined) break;
      page.push(row);
      after = keysOf(row);
    }
    // An account whose page is used up is at its next page, and one without a next page is read.
    for (const reading of readings) {
      if (reading.isDone || reading.rows?.length !== 0) continue;
      reading.isDone = reading.next === undefined;
      reading.token = reading.next;
      reading.rows = undefined;
    }
    if (readings.every(({ isDone }) => isDone)) {
      yield page;
      return;
    }
    const position: Position = {
      revision,
      tokens: readings.map(({ token, isDone }) => (isDone ? null : (token ?? ''))),
      ...(after === undefined ? {} : { after }),
    };
    page.continuationToken = Buffer.from(JSON.stringify(position)).toString('base64url');
    yield page;
  }
}

async function fill<T extends Keys>(reading: Reading<T>, after: readonly [string, string] | undefined): Promise<void> {
  if (reading.isDone || reading.rows !== undefined) return;
  const page = await reading.source.page(reading.token);
  reading.next = page.continuationToken;
  reading.rows = page.filter((row) => reading.source.has(row) && (after === undefined || isBehind(row, after)));
}

function smallest<T extends Keys>(readings: readonly Reading<T>[]): Reading<T> | undefined {
  let found: Reading<T> | undefined;
  for (const reading of readings) {
    const [row, other] = [reading.rows?.[0], found?.rows?.[0]];
    if (row !== undefined && (other === undefined || isBehind(other, keysOf(row)))) found = reading;
  }
  return found;
}

function positionIn(token: string | undefined): Position | undefined {
  if (token === undefined) return undefined;
  try {
    const position = JSON.parse(Buffer.from(token, 'base64url').toString()) as Position;
    return Array.isArray(position.tokens) ? position : undefined;
  } catch {
    return undefined;
  }
}
