/**
 * Development only: sends requests to an emulator. MSAL and bearer tokens accept https only, so the address changes
 * below them.
 */
import { createDefaultHttpClient, type HttpClient } from './sdk/http.ts';

/** Requests to the origin `wanted` go to the emulator. Any other request is refused. */
export function throughEmulator(wanted: string, emulatorUrl: string): HttpClient {
  const client = createDefaultHttpClient();
  return {
    async sendRequest(request) {
      const { origin, host, pathname, search } = new URL(request.url);
      if (origin !== wanted) throw new Error(`Refused: ${origin} is not ${wanted}.`);
      request.headers.set('host', host);
      const url = new URL(pathname + search, emulatorUrl).href;
      // The request stays as it is: a retry sends it again, and a reader of the response compares it.
      return { ...(await client.sendRequest({ ...request, url, allowInsecureConnection: true })), request };
    },
  };
}
