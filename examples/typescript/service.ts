/**
 * A service that stores patients' records encrypted, each under the key of its own customer: PUT and GET
 * /<tenant>/<record>.
 *
 *     node examples/typescript/service.ts
 *
 * Settings: KEYWARD_ENDPOINT, and KEYWARD_FUNCTION_KEY for a local Keyward. Without it the service uses its managed
 * identity, and KEYWARD_SCOPE is `api://<client id of Keyward's application>/.default`. Here the records are in memory;
 * a real service has them in its database.
 */
import { createServer, type IncomingMessage } from 'node:http';
import { KeywardClient, KeywardRefusal, KeywardUnavailable, MessageError } from '@keyward/client';

const {
  KEYWARD_ENDPOINT: endpoint = '',
  KEYWARD_FUNCTION_KEY: key,
  KEYWARD_SCOPE: scope = '',
  PORT = '8080',
} = process.env;
const credential = key ? { key } : new (await import('@azure/identity')).ManagedIdentityCredential();
const keyward = new KeywardClient(endpoint, credential, { scope });
const records = new Map<string, Uint8Array>();

/** The context says which record it is: the message of another record does not open in its place. */
async function answer(method: string, tenant: string, record: string, body: Uint8Array): Promise<[number, string]> {
  const context = { table: 'patients', record };
  const id = `${tenant}/${record}`;
  if (method === 'PUT') {
    records.set(id, await keyward.encrypt(tenant, body, context));
    return [204, ''];
  }
  const message = records.get(id);
  if (message === undefined) return [404, 'There is no such record.\n'];
  return [200, Buffer.from(await keyward.decrypt(tenant, message, context)).toString()];
}

/** Who must act decides the answer: the customer has revoked the key, or the call must be retried later. */
function failed(error: unknown): [number, string] {
  if (error instanceof KeywardRefusal)
    return [
      403,
      `${error.code}: ${error.cause ?? ''} since ${error.since ?? 'now'}. ${error.remedy ?? error.message}\n`,
    ];
  if (error instanceof KeywardUnavailable) return [503, `Try again in ${error.retryAfterSeconds} s.\n`];
  if (error instanceof MessageError) return [500, 'The record was damaged or exchanged.\n'];
  throw error;
}

async function bodyOf(request: IncomingMessage): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of request) pieces.push(piece);
  return Buffer.concat(pieces);
}

const server = createServer(async (request, response) => {
  const [, tenant = '', record = ''] = (request.url ?? '').split('/');
  const [status, text] = await bodyOf(request)
    .then((body) => answer(request.method ?? '', tenant, record, body))
    .catch(failed);
  response.writeHead(status).end(text);
});

server.listen(Number(PORT), () => console.log(`Listening on ${JSON.stringify(server.address())}`));
process.on('SIGTERM', () => {
  keyward.close();
  server.close();
});
