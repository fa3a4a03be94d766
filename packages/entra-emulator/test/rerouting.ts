import { createDefaultHttpClient, type HttpClient } from '@azure/core-rest-pipeline';

/**
 * MSAL takes no authority but https, and its metadata for the public cloud is built in: with that authority a
 * credential sends nothing but the token request itself, and an HTTP client can carry that to the issuer.
 */
export function throughIssuer(url: string, seen: string[] = []): HttpClient {
  const client = createDefaultHttpClient();
  return {
    sendRequest(request) {
      seen.push(`${request.method} ${new URL(request.url).origin}${new URL(request.url).pathname}`);
      request.url = request.url.replace('https://login.microsoftonline.com', url);
      request.allowInsecureConnection = true;
      return client.sendRequest(request);
    },
  };
}
