/**
 * Requests that public recordings of Azure Media Services hold, compared with their answers. The fixtures are reduced
 * to facts of shape and status; `<guid>`, `<time>` and the like replace what differs with every run. `source` names
 * repository, file and commit. The recordings of Azure/azure-cli and the collection are under the MIT licence.
 */
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { appPrincipalId, homeTenantId } from '../../src/local/operator.ts';
import { got, vaultWithKey } from '../app/support.ts';
import { useAms } from './support.ts';

// biome-ignore lint/suspicious/noExplicitAny: any JSON.
type Json = any;

interface Exchange {
  readonly what: string;
  readonly method: string;
  readonly path: string;
  readonly version: string;
  readonly body?: Json;
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly answer?: Json;
}
interface Recording {
  readonly source: string;
  /** Created before the exchanges, where they do not begin with it. */
  readonly account?: string;
  readonly exchanges: readonly Exchange[];
}

const fixture = (name: string) => readFileSync(new URL(`../fixtures/${name}`, import.meta.url), 'utf8');
const recordings: readonly Recording[] = JSON.parse(fixture('amsRecordings.json'));
const group = '/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/clitest.rg000001';
const world = useAms();

/** What differs from Azure Media Services, and why it is meant. Each entry brings a recorded answer to Keyward's. */
const differences: Readonly<Record<string, (recorded: Json, seen: Json) => void>> = {
  'systemData names no user: the audit does, for those who may read it': ({ systemData }) => {
    for (const name of ['createdBy', 'createdByType', 'lastModifiedBy', 'lastModifiedByType'])
      delete systemData?.[name];
  },
  'an account has the location as it was written, and not its display name': (recorded, seen) => {
    if (fold(recorded.location) === fold(seen?.location)) recorded.location = seen.location;
  },
  'encryption.status, which no recording has, tells whether the customer’s key works': ({ properties }, seen) => {
    if (seen?.properties?.encryption?.status === 'Accessible') properties.encryption.status = 'Accessible';
  },
  'a job stays Queued, because another system runs it': ({ properties }) => {
    if (properties?.state === 'Scheduled') properties.state = 'Queued';
  },
  'messages say what to do, and errors name their target': (recorded, seen) => {
    if (typeof seen?.message === 'string') recorded.message = seen.message;
    if (typeof seen?.error?.message === 'string')
      Object.assign(recorded.error, { ...seen.error, code: recorded.error.code });
  },
};
const fold = (name: unknown) => String(name).toLowerCase().replaceAll(' ', '');

/** Replaces what differs with every run. */
function normal(value: Json, name = ''): Json {
  if (Array.isArray(value)) return value.map((one) => normal(one));
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, normal(inner, key)]));
  if (typeof value !== 'string') return value;
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(value)) return '<guid>';
  if (/^20\d\d-.*T.*Z$/.test(value)) return '<time>';
  if (name === 'value' && Buffer.from(value, 'base64').length === 16) return '<16 bytes>';
  return value;
}

const filled = (value: Json, version: string): Json =>
  JSON.parse(JSON.stringify(value ?? null).replaceAll('{version}', version)) ?? undefined;

test('at most five differences from the recordings are meant', () => {
  expect(Object.keys(differences).length).toBeLessThanOrEqual(5);
});

describe('as Azure Media Services was recorded', () => {
  const versions: string[] = [];
  beforeAll(async () => {
    await world.stack.createCustomerVault('clitest000003', { location: 'centralus' });
    const body = { kty: 'RSA', size: 2048 };
    const path = '/vaults/clitest000003/keys/ams000005';
    const { key } = await world.stack.keyVault<{ key: { kid: string } }>('POST', path, body);
    versions.push(key.kid.split('/').at(-1) ?? '');
  });

  test.each(recordings)('each request of $source has the recorded status, headers and shape', async (recording) => {
    const [version = ''] = versions;
    const path = `/api${group}/providers/Microsoft.Media/mediaservices/${recording.account}?api-version=2021-06-01`;
    if (recording.account !== undefined) await world.api('PUT', path, { location: 'eastus' });
    for (const { what, method, path, version: apiVersion, body, status, headers = {}, answer } of recording.exchanges) {
      const url = `/api${path}?api-version=${apiVersion}`;
      const seen = await world.api(method, url, filled(body, version));
      expect({ what, status: seen.status }).toEqual({ what, status });
      const isSuccess = status < 400;
      for (const [name, value] of Object.entries(isSuccess ? headers : {}))
        expect({ what, [name]: seen.headers.get(name) }).toEqual({ what, [name]: value });
      // A call without an answer in the fixture had an empty one.
      if (answer === undefined && Object.keys(headers).length === 0)
        expect({ what, body: seen.body }).toEqual({ what });
      if (answer === undefined) continue;
      const expected = filled(answer, version);
      const shown = normal(seen.body);
      const normalized = normal(expected);
      for (const apply of Object.values(differences)) apply(normalized, shown);
      expect({ what, answer: shown }).toEqual({ what, answer: normalized });
    }
  });
});

test('the account bodies of the public bring-your-own-key collection are accepted verbatim, in its order', async () => {
  const { requests } = JSON.parse(fixture('byokCollection.json')) as {
    requests: { method: string; url: string; raw: string }[];
  };
  const variables: Record<string, string> = {
    armEndpoint: '',
    subscription: '5b1c7c1e-53a1-4a67-9d0f-0c6d3d1f0a01',
    resourceGroup: 'byok',
    accountName: 'byokcollection',
    storageName: 'byokstorage',
    storageAccountId: '/subscriptions/s/resourceGroups/byok/providers/Microsoft.Storage/storageAccounts/byokstorage',
    resourceLocation: 'westeurope',
  };
  const send = ({ method, url, raw }: { method: string; url: string; raw: string }) => {
    const with_ = (text: string) =>
      text.replace(/\{\{(\w+)\}\}/g, (_, name: string) => variables[name] ?? `no ${name}`);
    return world.api(method, with_(url).replace('https://', '/api'), with_(raw));
  };
  const [create, update] = requests;
  if (create === undefined || update === undefined) throw new Error('The collection has two account requests.');
  const { body } = await got(201, send(create));
  expect(body.identity).toEqual({ type: 'SystemAssigned', principalId: appPrincipalId, tenantId: homeTenantId });
  // The collection grants the key to the principal of the answer, and sends the versioned identifier.
  await vaultWithKey(world, 'byok-collection');
  const made = await world.stack.keyVault<{ key: { kid: string } }>('GET', '/vaults/byok-collection/keys/cmk');
  variables.keyId = made.key.kid;
  const changed = await got(200, send(update));
  expect(changed.body.properties).toMatchObject({
    storageAccounts: [{ type: 'Primary' }],
    encryption: { type: 'CustomerKey', keyVaultProperties: { keyIdentifier: variables.keyId } },
  });
});
