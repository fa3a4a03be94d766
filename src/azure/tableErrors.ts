/** Errors of the Table service, translated into those of the core. */

import { KeywardError, LostRace, Unavailable } from '../core/base/errors.ts';
import { RestError } from './sdk/tables.ts';

/** There is no such row. Never leaves the adapters. */
export class NotThere extends Error {}

/** The writer has read the row before. When the row is gone now, another writer was faster. */
export async function goneIsLost<R>(write: Promise<R>): Promise<R> {
  try {
    return await write;
  } catch (error) {
    throw error instanceof NotThere ? new LostRace('The row is gone.') : error;
  }
}

export async function unlessLost<R>(write: () => Promise<R>): Promise<R | undefined> {
  try {
    return await write();
  } catch (error) {
    if (error instanceof LostRace || error instanceof NotThere) return undefined;
    throw error;
  }
}

/** A call over its deadline is aborted, and its error is no RestError. */
export const isFromStorage = (error: unknown): error is Error & Partial<RestError> =>
  error instanceof RestError || (error instanceof Error && error.name === 'AbortError');

/** The table itself is missing. For one row, the SDK has the service's code in the message only. */
export const isWithoutTable = (error: unknown): boolean =>
  isFromStorage(error) && error.statusCode === 404 && `${error.code} ${error.message}`.includes('TableNotFound');

export function translated(error: unknown): unknown {
  if (!isFromStorage(error)) return error;
  const { statusCode } = error;
  if (statusCode === 404) return new NotThere('There is no such row.');
  if (statusCode === 409 || statusCode === 412) return new LostRace('The row has changed.');
  return statusCode === 400 || statusCode === 413 ? new Rejected(error) : unavailable(error);
}

/**
 * The service does not take the request, and never will: Keyward has made one that breaks a rule or a limit of the
 * tables.
 */
export class Rejected extends KeywardError {
  override readonly name = 'Rejected';
  readonly tableCode: string;

  constructor(error: Partial<RestError>) {
    const { details } = error as { details?: { odataError?: { code?: unknown } } };
    const code = String(details?.odataError?.code ?? error.code ?? '');
    const tableCode = /^\w{1,64}$/.test(code) ? code : 'Unknown';
    super('StorageRejected', `The tables refused a request of Keyward (${tableCode}). Nothing was changed.`, {
      info: { status: error.statusCode ?? 0, tableCode },
    });
    this.tableCode = tableCode;
  }
}

export const unavailable = ({ statusCode = 0 }: Partial<RestError>): Unavailable =>
  new Unavailable('StorageUnavailable', 'The tables of this service do not answer. Retry after a few seconds.', 5, {
    info: { status: statusCode },
  });
