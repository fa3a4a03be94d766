/**
 * Queue Storage: the three calls that Keyward makes of it. Microsoft's client of queues parses XML, which is 160 KiB of
 * code at the start of a process, and Keyward reads no body of an answer. Signing, tokens and retries are Microsoft's.
 */
import type { TokenCredential } from '@azure/identity';
import { defined } from '../core/base/defined.ts';
import {
  bearerTokenAuthenticationPolicy,
  createDefaultHttpClient,
  createHttpHeaders,
  createPipelineFromOptions,
  createPipelineRequest,
  type PipelinePolicy,
  type PipelineResponse,
} from './sdk/http.ts';
import { storageRetries } from './storageClients.ts';

export type QueueAccess = { readonly deadlineSeconds: number } & (
  | { readonly connectionString: string }
  | { readonly serviceUrl: string; readonly credential: TokenCredential }
);

/**
 * Sends one request. `path` begins with the name of a queue, and may have a query. Returns the answer, whatever its
 * status is. Throws when the service does not answer in time.
 */
export type CallQueues = (
  method: 'GET' | 'PUT' | 'POST',
  path: string,
  body?: string,
) => Promise<Pick<PipelineResponse, 'status' | 'headers'>>;

/** The first with every feature that is used here (REST docs, "Versioning for Azure Storage"). */
const version = '2021-12-02';

/** Microsoft docs, "Use the Azurite emulator", and the same for every installation. */
const developmentStorage =
  'DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;QueueEndpoint=http://127.0.0.1:10001/devstoreaccount1';

export async function openQueueService(access: QueueAccess): Promise<CallQueues> {
  const { url, signature = '', policy } = await signerOf(access);
  const client = createDefaultHttpClient();
  const pipeline = createPipelineFromOptions({ retryOptions: storageRetries });
  if (policy !== undefined) pipeline.addPolicy(policy, { phase: 'Sign' });
  return (method, path, body) => {
    const address = `${url.replace(/\/$/, '')}/${path}`;
    const headers = createHttpHeaders({ 'x-ms-version': version });
    if (body !== undefined) headers.set('content-type', 'application/xml');
    const request = createPipelineRequest({
      url: signature === '' ? address : `${address}${path.includes('?') ? '&' : '?'}${signature}`,
      method,
      headers,
      ...defined({ body }),
      allowInsecureConnection: 'connectionString' in access,
      abortSignal: AbortSignal.timeout(access.deadlineSeconds * 1000),
    });
    return pipeline.sendRequest(client, request);
  };
}

/** How a request shows its right: by a header of the policy, or by a signature in its address. */
interface Signer {
  readonly url: string;
  readonly signature?: string;
  readonly policy?: PipelinePolicy;
}

async function signerOf(access: QueueAccess): Promise<Signer> {
  if (!('connectionString' in access)) {
    const { serviceUrl: url, credential } = access;
    const scopes = 'https://storage.azure.com/.default';
    return { url, policy: bearerTokenAuthenticationPolicy({ credential, scopes }) };
  }
  const { url, accountName, accountKey, signature } = queueAccountIn(access.connectionString);
  if (signature !== undefined) return { url, signature };
  const { storageSharedKeyCredentialPolicy } = await import('./sdk/storageKey.ts');
  return { url, policy: storageSharedKeyCredentialPolicy({ accountName, accountKey }) };
}

/** Microsoft docs, "Configure Azure Storage connection strings": account keys, signatures (SAS) and the emulator. */
export function queueAccountIn(connectionString: string) {
  const isDevelopment = /^UseDevelopmentStorage=true/i.test(connectionString);
  const text = isDevelopment ? developmentStorage : connectionString;
  const pairs = text.split(';').map((pair) => /^\s*([^=]+)=(.*)$/.exec(pair.trim()));
  const parts: Readonly<Record<string, string | undefined>> = Object.fromEntries(
    pairs.flatMap((pair) => (pair === null ? [] : [[pair[1], pair[2]]])),
  );
  const { DefaultEndpointsProtocol: protocol = 'https', EndpointSuffix: suffix = 'core.windows.net' } = parts;
  const { AccountName: accountName = '', AccountKey: key = '', SharedAccessSignature } = parts;
  return {
    url: parts.QueueEndpoint ?? `${protocol}://${accountName}.queue.${suffix}`,
    accountName,
    accountKey: Buffer.from(key, 'base64'),
    ...defined({ signature: SharedAccessSignature?.replace(/^\?/, '') }),
  };
}
