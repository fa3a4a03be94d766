/**
 * How the tables and queues are called. A try that fails is made twice more, soon: who waits for a call had better be told 503 than
 * wait for long. An answer that does not come is waited for until a deadline: the SDKs themselves would wait for ever.
 */
import { createDefaultHttpClient, type HttpClient } from '@azure/core-rest-pipeline';

export const tableRetries = { maxRetries: 2, retryDelayInMs: 100, maxRetryDelayInMs: 1_000 };
export const queueRetries = { maxTries: 3, retryDelayInMs: 100, maxRetryDelayInMs: 1_000 };

export function tableHttp(deadlineSeconds: number): HttpClient {
  const client = createDefaultHttpClient();
  return {
    sendRequest(request) {
      request.timeout = deadlineSeconds * 1000;
      return client.sendRequest(request);
    },
  };
}
