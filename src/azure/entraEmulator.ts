/** Development only: carries token requests to the local issuer. MSAL takes no authority but https, so the address is changed below it. */
import { createDefaultHttpClient, type HttpClient } from '@azure/core-rest-pipeline';

export function throughEntraEmulator(authorityHost: string, emulatorUrl: string): HttpClient {
  const client = createDefaultHttpClient();
  return {
    sendRequest(request) {
      const { origin, host, pathname, search } = new URL(request.url);
      if (origin !== authorityHost) throw new Error(`Refused: ${origin} is not the authority.`);
      request.headers.set('host', host);
      request.url = new URL(pathname + search, emulatorUrl).href;
      request.allowInsecureConnection = true;
      return client.sendRequest(request);
    },
  };
}
