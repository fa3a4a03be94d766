/**
 * How Keyward calls tables and queues. It repeats a failed call twice within half a second, because a caller is better
 * served by a fast 503 than by a long wait. Each call has a deadline, because the SDKs wait for ever.
 */
import { createDefaultHttpClient, type HttpClient } from './sdk/http.ts';

export const storageRetries = { maxRetries: 2, retryDelayInMs: 100, maxRetryDelayInMs: 1_000 };

export function tableHttp(deadlineSeconds: number): HttpClient {
  const client = createDefaultHttpClient();
  return {
    sendRequest(request) {
      request.timeout = deadlineSeconds * 1000;
      return client.sendRequest(request);
    },
  };
}
