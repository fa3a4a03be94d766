/**
 * The Key Vault emulator's answers without a socket, for services and controls in this process. The emulator does the
 * same work as for a request on the wire, and a call costs about half of one on the wire.
 */

import { Readable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { createHttpHeaders, type HttpClient, type PipelineRequest, RestError } from '@azure/core-rest-pipeline';
import { controlThrough, type KeyVaultControl } from '../../packages/key-vault-emulator/src/controlClient.ts';
import type { KeyVaultEmulator } from '../../packages/key-vault-emulator/src/emulator.ts';

type Emulator = Pick<KeyVaultEmulator, 'answer'>;

const address = '127.0.0.1';

export const vaultsInProcess = ({ answer }: Emulator): HttpClient => ({
  async sendRequest(request) {
    // A turn of the event loop: others act between sending and effect.
    await setImmediate();
    const outcome = await unlessAborted(answer(wireRequestOf(request)), request);
    switch (outcome.kind) {
      case 'answer': {
        const { status, headers, body } = outcome;
        return { request, status, headers: createHttpHeaders(headers), readableStreamBody: Readable.from([body]) };
      }
      case 'network':
        return { request, status: 421, headers: createHttpHeaders({ 'x-emulator-network-error': outcome.code }) };
      case 'reset':
        throw new RestError('read ECONNRESET', { code: 'ECONNRESET', request });
      case 'hang':
        return unlessAborted(new Promise<never>(() => undefined), request);
    }
  },
});

export const controlInProcess = ({ answer }: Emulator): KeyVaultControl =>
  controlThrough(async (method, target, body = '') => {
    const outcome = await answer({ method, target, host: address, headers: {}, body, address });
    if (outcome.kind !== 'answer') throw new Error(`${method} ${target} had no answer.`);
    return [outcome.status, outcome.body];
  });

function wireRequestOf({ method, url, headers, body }: PipelineRequest) {
  if (typeof body !== 'string' && body !== undefined && body !== null)
    throw new TypeError('The SDK of Key Vault sends text.');
  const { pathname, search } = new URL(url);
  const host = headers.get('host') ?? '';
  return { method, target: pathname + search, host, headers: headers.toJSON(), body: body ?? '', address };
}

/** The SDK's own transport ends an aborted request with an error of this name. */
function unlessAborted<T>(promise: Promise<T>, { abortSignal }: PipelineRequest): Promise<T> {
  if (abortSignal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const abort = () => reject(Object.assign(new Error('The operation was aborted.'), { name: 'AbortError' }));
    if (abortSignal.aborted) abort();
    abortSignal.addEventListener('abort', abort);
    promise.then(resolve, reject).finally(() => abortSignal.removeEventListener('abort', abort));
  });
}
