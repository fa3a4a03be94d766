/**
 * The unmodified client of Azure Media Services against the embedded stack. The client refuses http, so it gets an
 * unused https address and an HTTP client that sends the requests for that address to the host on this machine.
 */
import { AzureMediaServices } from '@azure/arm-mediaservices';
import { createDefaultHttpClient, type HttpClient } from '@azure/core-rest-pipeline';
import { apiAudience, operatorToken } from './operator.ts';
import type { Stack } from './stack.ts';

const publicUrl = 'https://keyward.example';
/** The client's endpoint, for which it requests tokens. */
const amsEndpoint = `${publicUrl}/api`;

/** Settings for bearer tokens on both APIs, and for links with the address that the client uses. */
export const amsSettings = {
  KEYWARD_AUTH: 'entra',
  KEYWARD_AUTH_AUDIENCE: `${apiAudience} ${amsEndpoint}`,
  KEYWARD_PUBLIC_BASE_URL: publicUrl,
};

/** Makes the client's audience an audience of this service too, like an application with two application id URIs. */
export async function registerAmsAudience({ identity }: Pick<Stack, 'identity'>): Promise<void> {
  const body = JSON.stringify({ audiences: [apiAudience, amsEndpoint] });
  const answer = await fetch(`${identity.url}/control/api-audiences`, { method: 'PUT', body });
  if (!answer.ok) throw new Error(`The token issuer answered ${answer.status}`);
}

export interface AmsClientOptions {
  /** Default: the operator's. */
  readonly token?: (scope: string) => Promise<string>;
  /** Receives the requests and answers of the client. */
  readonly onAnswer?: (seen: { method: string; url: string; status: number }) => void;
}

export function amsClient(stack: Stack, subscriptionId: string, options: AmsClientOptions = {}): AzureMediaServices {
  const { token = (scope) => operatorToken(stack.identity, scope), onAnswer } = options;
  const credential = {
    async getToken(scopes: string | string[]) {
      return { token: await token([scopes].flat()[0] ?? ''), expiresOnTimestamp: Date.now() + 3_600_000 };
    },
  };
  const httpClient = rerouted(stack.host.url, onAnswer);
  return new AzureMediaServices(credential, subscriptionId, { endpoint: amsEndpoint, httpClient });
}

function rerouted(hostUrl: string, onAnswer: AmsClientOptions['onAnswer']): HttpClient {
  const client = createDefaultHttpClient();
  return {
    async sendRequest(request) {
      const { url } = request;
      if (!url.startsWith(`${amsEndpoint}/`)) throw new Error(`The client was sent to ${url}`);
      request.url = url.replace(publicUrl, hostUrl);
      request.allowInsecureConnection = true;
      try {
        const answer = await client.sendRequest(request);
        onAnswer?.({ method: request.method, url, status: answer.status });
        return answer;
      } finally {
        request.url = url;
      }
    },
  };
}
