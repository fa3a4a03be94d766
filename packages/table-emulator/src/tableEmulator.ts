/**
 * Azure Table Storage in memory, behind the `httpClient` option of `@azure/data-tables`: the SDK serializes, signs,
 * batches and retries as it does on a network, and its requests are answered in this process.
 */
import { randomUUID } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { createHttpHeaders, type HttpClient, type PipelineRequest } from '@azure/core-rest-pipeline';
import { createService } from './service.ts';

export interface TableEmulator {
  readonly httpClient: HttpClient;
  /** For `TableClient.fromConnectionString`, together with `httpClient`. */
  readonly connectionString: string;
  /** How many requests have been sent. */
  readonly requests: number;
}

const accountName = 'memory';
export const tableEndpoint = `https://${accountName}.table.core.windows.net`;
// Access by a signature in the address: the client then signs no request, which would be a tenth of a call's CPU time.
const connectionString = [
  `TableEndpoint=${tableEndpoint}`,
  'SharedAccessSignature=sv=2019-02-02&sig=not-verified',
].join(';');

/** @param now is the service's clock: of timestamps, and of answers. */
export function createTableEmulator(now: () => number = Date.now): TableEmulator {
  const service = createService(now);
  let requests = 0;
  return {
    connectionString,
    get requests() {
      return requests;
    },
    httpClient: {
      async sendRequest(request) {
        requests += 1;
        // A turn of the event loop each way: others act between sending and effect, and between effect and answer.
        await setImmediate();
        if (request.abortSignal?.aborted) throw abortError();
        const { method, url, headers } = request;
        const answer = service({ method, url, header: (name) => headers.get(name), body: bodyOf(request) });
        await setImmediate();
        const system = { 'x-ms-request-id': randomUUID(), 'x-ms-version': headers.get('x-ms-version') ?? '' };
        return {
          request,
          status: answer.status,
          headers: createHttpHeaders({ ...system, date: new Date(now()).toUTCString(), ...answer.headers }),
          bodyAsText: answer.body,
        };
      },
    },
  };
}

function bodyOf({ body }: PipelineRequest): string {
  if (body === undefined || body === null) return '';
  if (typeof body === 'string') return body;
  throw new TypeError('The table emulator reads bodies of text only, as @azure/data-tables sends them.');
}

const abortError = (): Error => Object.assign(new Error('The operation was aborted.'), { name: 'AbortError' });
