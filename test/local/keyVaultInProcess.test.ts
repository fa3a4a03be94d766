import { createHttpHeaders, createPipelineRequest, type HttpClient } from '@azure/core-rest-pipeline';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startIdentity } from '../../packages/entra-emulator/src/issuer.ts';
import { keyVaultControl } from '../../packages/key-vault-emulator/src/controlClient.ts';
import { type KeyVaultEmulator, startKeyVault } from '../../packages/key-vault-emulator/src/emulator.ts';
import { createKeyVaultTransport } from '../../src/azure/keyVaultTransport.ts';
import { recorded } from '../../src/azure/wireRecord.ts';
import { controlInProcess, vaultsInProcess } from '../../src/local/keyVaultInProcess.ts';
import { createGrantedVault, directory } from '../../src/local/operator.ts';
import { failure, keyPool } from '../lab.ts';

let emulator: KeyVaultEmulator;
const undo: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  const identity = await startIdentity(directory);
  emulator = await startKeyVault({ identityUrl: identity.url, keyPool });
  undo.push(identity.stop, emulator.stop);
  const control = controlInProcess(emulator);
  await createGrantedVault('both', control);
  await control('POST', '/vaults/both/keys/cmk', { kty: 'RSA', size: 2048, fixture: 0 });
});

afterAll(async () => {
  for (const step of undo.reverse()) await step();
});

/** These change from request to request. */
const ownOfRequest = new Set(['x-ms-request-id', 'date', 'connection', 'keep-alive', 'content-length']);

/** What Keyward's transport makes of a response, or of none. */
async function exchange(client: HttpClient | undefined, abortSignal?: AbortSignal) {
  const transport = createKeyVaultTransport({
    cloud: 'public',
    emulatorUrl: emulator.url,
    ...(client === undefined ? {} : { client }),
  });
  const url = 'https://both.vault.azure.net/keys/cmk?api-version=7.5';
  const request = createPipelineRequest({
    url,
    headers: createHttpHeaders({ 'x-ms-client-request-id': 'one' }),
    ...(abortSignal === undefined ? {} : { abortSignal }),
  });
  const { wire, result, error } = await recorded(() => transport.sendRequest(request));
  const headers = Object.entries(result?.headers.toJSON() ?? {}).filter(([name]) => !ownOfRequest.has(name));
  const { requestId: _, ...record } = wire;
  return {
    wire: record,
    status: result?.status,
    headers: Object.fromEntries(headers),
    body: result?.bodyAsText,
    error: error instanceof Error ? error.name : undefined,
  };
}

describe('the Key Vault emulator without a socket answers as on the wire', () => {
  test.each([
    ['a request without a token', undefined, { status: 401 }],
    ['a fault of the vault', { action: 'status', status: 503, body: 'empty' }, { status: 503 }],
    ['a failure of the network', { action: 'network', code: 'EAI_AGAIN' }, { wire: { networkCode: 'EAI_AGAIN' } }],
    ['a connection that is reset', { action: 'reset' }, { wire: { networkCode: 'ECONNRESET' } }],
    ['a vault that never answers', { action: 'hang' }, { wire: { timedOut: true }, error: 'AbortError' }],
  ] as const)('%s', async (_title, fault, expected) => {
    const control = controlInProcess(emulator);
    const { id } =
      fault === undefined ? {} : await control<{ id: string }>('POST', '/faults', { vault: 'both', ...fault });
    const deadline = () => (fault?.action === 'hang' ? AbortSignal.timeout(100) : undefined);
    const onWire = await exchange(undefined, deadline());
    expect(onWire).toMatchObject(expected);
    expect(await exchange(vaultsInProcess(emulator), deadline())).toEqual(onWire);
    if (id !== undefined) await control('DELETE', `/faults/${id}`);
  });

  test('the control API, with its results and its errors', async () => {
    const [near, far] = [controlInProcess(emulator), keyVaultControl(emulator.url)];
    expect(await near('GET', '/vaults/both/keys/cmk')).toEqual(await far('GET', '/vaults/both/keys/cmk'));
    const missing = (control: typeof near) => failure(control('GET', '/vaults/none/keys/cmk'));
    expect((await missing(near)).message).toBe((await missing(far)).message);
  });
});
