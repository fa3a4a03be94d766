/** Development only: carries requests to an emulator. Neither MSAL nor a bearer token takes any address but https, so it is changed below them. */
import { createDefaultHttpClient, type HttpClient } from '@azure/core-rest-pipeline';

/** What is sent to the origin goes to the emulator; anything else is refused. */
export function throughEmulator(wanted: string, emulatorUrl: string): HttpClient {
  const client = createDefaultHttpClient();
  return {
    async sendRequest(request) {
      const { origin, host, pathname, search } = new URL(request.url);
      if (origin !== wanted) throw new Error(`Refused: ${origin} is not ${wanted}.`);
      request.headers.set('host', host);
      const url = new URL(pathname + search, emulatorUrl).href;
      // The request itself stays as it is, and the answer's: it is sent once more by who tries again, and known by who reads the answer.
      return { ...(await client.sendRequest({ ...request, url, allowInsecureConnection: true })), request };
    },
  };
}
