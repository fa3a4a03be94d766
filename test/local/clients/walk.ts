/**
 * What an application does with its accounts, once for each client that was published for Azure Media Services. It runs
 * in a process of its own, because Node reads the certificate authority from NODE_EXTRA_CA_CERTS at its start. The
 * clients are unmodified and have no option: the variables that `npm start -- --proxy` prints lead them to the stack.
 * Prints one JSON object: what each client saw.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { DefaultAzureCredential } from '@azure/identity';
import { KeyClient } from '@azure/keyvault-keys';

const group = 'media';
const location = 'westeurope';
const subscriptionId = process.env.AZURE_SUBSCRIPTION_ID ?? '';
const credential = new DefaultAzureCredential();
const token = Buffer.from('a token validation key').toString('base64');
const keyIdentifier = 'https://contoso-keys.vault.azure.net/keys/media';
const missingKey = 'https://contoso-keys.vault.azure.net/keys/missing';
const WAIT_MS = 60_000;
const PAUSE_MS = 250;

// biome-ignore lint/suspicious/noExplicitAny: four versions of one client, whose types differ.
type Client = any;

const packages = {
  '8.1.0': 'arm-mediaservices-8',
  '9.0.0': 'arm-mediaservices-9',
  '12.0.0': 'arm-mediaservices-12',
  '13.1.0': '@azure/arm-mediaservices',
};

/** Lists are arrays before 12.0.0 and asynchronous iterators from then on. */
async function names(list: Client): Promise<string[]> {
  const found: string[] = [];
  for await (const { name } of await list) found.push(name);
  return found;
}

/** Accounts change by long-running operations from 12.0.0 on. */
const change = (accounts: Client, name: string, call: 'createOrUpdate' | 'update', body: object): Promise<Client> =>
  accounts.beginUpdateAndWait === undefined
    ? accounts[call](group, name, body)
    : accounts[call === 'update' ? 'beginUpdateAndWait' : 'beginCreateOrUpdateAndWait'](group, name, body, {
        updateIntervalInMs: 50,
      });

const remove = (calls: Client, ...names: string[]) => (calls.delete ?? calls.deleteMethod).call(calls, group, ...names);

const failure = (call: Promise<unknown>) =>
  call.then(
    () => 'none',
    (error: Client) => `${error.statusCode} ${error.code}`,
  );

async function until(isReached: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + WAIT_MS;
  while (!(await isReached())) {
    if (Date.now() > end) throw new Error('It was not reached in time.');
    await sleep(PAUSE_MS);
  }
}

const base64Of = (bytes: Client): string | null => (bytes ? Buffer.from(bytes).toString('base64') : null);
const keyOf = ({ options }: Client) => base64Of(options[0].restriction.primaryVerificationKey.keyValue);

const policy = {
  options: [
    {
      configuration: { odatatype: '#Microsoft.Media.ContentKeyPolicyClearKeyConfiguration' },
      restriction: {
        odatatype: '#Microsoft.Media.ContentKeyPolicyTokenRestriction',
        issuer: 'issuer',
        audience: 'audience',
        restrictionTokenType: 'Jwt',
        primaryVerificationKey: {
          odatatype: '#Microsoft.Media.ContentKeyPolicySymmetricTokenKey',
          keyValue: Buffer.from(token, 'base64'),
        },
      },
    },
  ],
};
const preset = { odatatype: '#Microsoft.Media.BuiltInStandardEncoderPreset', presetName: 'AdaptiveStreaming' };
const job = {
  input: {
    odatatype: '#Microsoft.Media.JobInputHttp',
    baseUri: 'https://media.example/',
    files: ['a.mp4?sig=secret'],
  },
  outputs: [{ odatatype: '#Microsoft.Media.JobOutputAsset', assetName: 'output' }],
};
/** Versions before 12.0.0 have the name of the wire's property, without its at sign and dot. */
const withTypes = (value: Client, name: string): Client => {
  if (Array.isArray(value)) return value.map((one) => withTypes(one, name));
  if (typeof value !== 'object' || value === null || Buffer.isBuffer(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key === 'odatatype' ? name : key, withTypes(inner, name)]),
  );
};

function walkOf(version: string, client: Client) {
  const account = `films${version.replaceAll('.', '')}`;
  const typed = (value: object) =>
    withTypes(value, client.mediaservices.beginUpdateAndWait ? 'odataType' : 'odatatype');
  const contentKeys = async () =>
    (await client.streamingLocators.listContentKeys(group, account, 'trailer')).contentKeys as { value: string }[];
  let contentKey = '';
  return {
    account,
    contentKeys,
    async create() {
      const { mediaservices: accounts, contentKeyPolicies: policies, streamingLocators, transforms, jobs } = client;
      const made = await change(accounts, account, 'createOrUpdate', { location });
      const refused = await failure(change(accounts, account, 'update', encryption(missingKey)));
      const { encryption: changed } = await change(accounts, account, 'update', encryption(keyIdentifier));
      const listed = (await names(accounts.list(group))).includes(account);

      const written = await policies.createOrUpdate(group, account, 'tokens', typed(policy));
      const plain = await policies.get(group, account, 'tokens');
      const withSecrets = await policies.getPolicyPropertiesWithSecrets(group, account, 'tokens');

      const locator = { assetName: 'trailer', streamingPolicyName: 'Predefined_ClearKey' };
      const { contentKeys: shown } = await streamingLocators.create(group, account, 'trailer', locator);
      contentKey = (await contentKeys())[0]?.value ?? '';

      await transforms.createOrUpdate(group, account, 'encode', typed({ outputs: [{ preset }] }));
      return {
        account: made.name,
        refused,
        key: changed.keyVaultProperties.currentKeyIdentifier,
        listed,
        policy: [keyOf(written), keyOf(plain), keyOf(withSecrets)],
        contentKey: [shown?.[0]?.value ?? null, Buffer.from(contentKey, 'base64').length],
        ...(await jobOf(jobs)),
      };
    },
    async whileRevoked() {
      const read = await client.mediaservices.get(group, account);
      return {
        read: read.name,
        revealed: await failure(contentKeys()),
        written: await failure(change(client.mediaservices, account, 'update', { location, tags: { a: 'b' } })),
      };
    },
    async restored() {
      const isSame = (await contentKeys())[0]?.value === contentKey;
      await remove(client.streamingLocators, account, 'trailer');
      const gone = await failure(contentKeys());
      await remove(client.mediaservices, account);
      return { isSame, gone, deleted: await failure(client.mediaservices.get(group, account)) };
    },
  };

  async function jobOf(jobs: Client) {
    await jobs.create(group, account, 'encode', 'first', typed(job));
    await jobs.update(group, account, 'encode', 'first', typed({ ...job, description: 'changed' }));
    await jobs.cancelJob(group, account, 'encode', 'first');
    const { input, description, state } = await jobs.get(group, account, 'encode', 'first');
    return { job: { baseUri: input.baseUri, files: input.files, description, state } };
  }

  function encryption(identifier: string) {
    // Version 8.1.0 requires the location in a change too.
    return { location, encryption: { type: 'CustomerKey', keyVaultProperties: { keyIdentifier: identifier } } };
  }
}

/** The customer's own client changes the key, under the vault's public name. */
async function setEnabled(enabled: boolean): Promise<void> {
  const keys = new KeyClient('https://contoso-keys.vault.azure.net', credential);
  const { properties } = await keys.getKey('media');
  await keys.updateKeyProperties('media', properties.version ?? '', { enabled });
}

const walks = await Promise.all(
  Object.entries(packages).map(async ([version, name]) => {
    const loaded: Client = await import(name);
    const { AzureMediaServices } = loaded.AzureMediaServices === undefined ? loaded.default : loaded;
    return { version, walk: walkOf(version, new AzureMediaServices(credential, subscriptionId)) };
  }),
);
const seen: Record<string, object> = {};
for (const { version, walk } of walks) seen[version] = await walk.create();
await setEnabled(false);
for (const { version, walk } of walks) {
  await until(async () => (await failure(walk.contentKeys())).startsWith('403'));
  seen[version] = { ...seen[version], ...(await walk.whileRevoked()) };
}
await setEnabled(true);
for (const { version, walk } of walks) {
  await until(async () => (await failure(walk.contentKeys())) === 'none');
  seen[version] = { ...seen[version], ...(await walk.restored()) };
}
process.stdout.write(JSON.stringify(seen));
