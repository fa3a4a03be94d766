/**
 * `npm run test:external`: unmodified clients of Azure Media Services in other languages, through the proxy of the
 * embedded stack. Needs Debian's packages python3-azure, azure-cli, golang-go and
 * golang-github-azure-azure-sdk-for-go-dev. When all are installed, the run writes the table of docs/ams.md; it fails
 * when a client cannot do what it could before.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { compressedTime } from '../../src/local/demo/compressedTime.ts';
import { type Stack, startStack } from '../../src/local/stack.ts';
import { proxyLines } from '../../src/local/startPage.ts';

const run = promisify(execFile);
const here = fileURLToPath(new URL('.', import.meta.url));
const document = fileURLToPath(new URL('../../docs/ams.md', import.meta.url));
const goPath = '/usr/share/gocode';
const LIMIT_MS = 240_000;

interface Seen {
  readonly client: string;
  /** By call: `yes`, or what the client printed. */
  readonly results: Readonly<Record<string, string>>;
}
interface Client {
  /** A file of the client's package. */
  readonly needs: string;
  readonly command: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  read?(printed: string): Seen[];
}

const calls = {
  accounts: 'accounts',
  customer_key: 'customer key',
  refused_key: 'refused key',
  content_keys: 'content keys',
  token_keys: 'token keys',
  job_inputs: 'job inputs',
  delete: 'DELETE',
} as const;

const clientsIn = (dir: string): readonly Client[] => [
  {
    needs: process.execPath,
    command: [process.execPath, join(here, '../local/clients/walk.ts')],
    read: (printed) =>
      Object.entries(JSON.parse(printed)).map(([version, seen]) => npmResults(version, seen as NpmSeen)),
  },
  {
    needs: '/usr/lib/python3/dist-packages/azure/mgmt/media',
    command: ['/usr/bin/python3', join(here, 'walk.py')],
  },
  {
    needs: `${goPath}/src/github.com/Azure/azure-sdk-for-go`,
    command: ['go', 'run', join(here, 'go/walk.go')],
    environment: { GO111MODULE: 'off', GOPATH: goPath, GOCACHE: join(dir, 'go') },
  },
  {
    needs: '/usr/lib/python3/dist-packages/azure/cli',
    command: ['sh', join(here, 'az.sh')],
    environment: { AZURE_CONFIG_DIR: join(dir, 'az'), AZURE_CORE_COLLECT_TELEMETRY: '0' },
  },
];

interface NpmSeen {
  readonly listed: boolean;
  readonly refused: string;
  readonly key: string;
  readonly policy: readonly (string | null)[];
  readonly contentKey: readonly unknown[];
  readonly job: { readonly files: readonly string[] };
  readonly deleted: string;
}

function npmResults(version: string, { listed, refused, key, policy, contentKey, job, deleted }: NpmSeen): Seen {
  const isSo = {
    accounts: listed,
    customer_key: /\/keys\/media\/[0-9a-f]{32}$/.test(key),
    refused_key: refused === '400 KeyNotFound',
    content_keys: contentKey[0] === null && contentKey[1] === 16,
    token_keys: policy[0] === null && policy[1] === null && typeof policy[2] === 'string',
    job_inputs: job.files[0] === 'a.mp4',
    delete: deleted.startsWith('404'),
  };
  const results = Object.fromEntries(Object.entries(isSo).map(([call, holds]) => [call, holds ? 'yes' : 'no']));
  return { client: `npm @azure/arm-mediaservices ${version}`, results };
}

async function prepared(dir: string): Promise<Stack> {
  const settings = { KEYWARD_AUTH: 'entra', ...compressedTime };
  const stack = await startStack({ settings, proxy: { dir }, onLog: () => undefined });
  await stack.createCustomerVault('contoso-keys');
  await stack.keyVault('POST', '/vaults/contoso-keys/keys/media', { kty: 'RSA', size: 2048 });
  const operator = (await (await fetch(`${stack.identity.url}/control/identities/operator`)).json()) as {
    objectId: string;
  };
  const permissions = ['get', 'update'];
  await stack.keyVault('PUT', `/vaults/contoso-keys/grants/${operator.objectId}`, { permissions });
  return stack;
}

async function resultsOf({ command, environment = {}, read }: Client, lines: string): Promise<Seen[]> {
  const env = { ...process.env, ...environment };
  const { stdout } = await run('sh', ['-c', `${lines}\nexec "$@"`, 'sh', ...command], { env, timeout: LIMIT_MS });
  return (
    read?.(stdout) ??
    stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Seen)
  );
}

function tableOf(seen: readonly Seen[]): string {
  const row = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const names = Object.keys(calls) as (keyof typeof calls)[];
  return [
    row(['client', ...Object.values(calls)]),
    row(['client', ...names].map(() => '---')),
    ...seen.map(({ client, results }) => row([client, ...names.map((name) => results[name] ?? 'not called')])),
  ].join('\n');
}

const begin = '<!-- npm run test:external writes this table -->';
const end = '<!-- end of the table -->';

const dir = await mkdtemp(join(tmpdir(), 'keyward-external-'));
const stack = await prepared(dir);
try {
  const clients = clientsIn(dir);
  const present = clients.filter(({ needs }) => existsSync(needs));
  for (const { needs } of clients)
    if (!existsSync(needs)) process.stdout.write(`Skipped: ${needs} is not installed.\n`);
  if (stack.proxy === undefined) throw new Error('The stack has no proxy.');
  const seen: Seen[] = [];
  for (const client of present) seen.push(...(await resultsOf(client, proxyLines(stack.proxy))));
  const table = tableOf(seen);
  process.stdout.write(`${table}\n`);
  const text = await readFile(document, 'utf8');
  const [before = '', rest = ''] = text.split(begin);
  const [known = '', after] = rest.split(end);
  if (after === undefined) throw new Error(`${document} has no place for the table.`);
  const couldDo = known.split('\n').filter((line) => line.includes('| yes'));
  const lost = couldDo.filter((line) => !table.includes(line) && present.length === clients.length);
  if (present.length === clients.length) await writeFile(document, `${before}${begin}\n\n${table}\n\n${end}${after}`);
  if (lost.length > 0) {
    process.stderr.write(`These clients did more before:\n${lost.join('\n')}\n`);
    process.exitCode = 1;
  }
} finally {
  await stack.stop();
  await rm(dir, { recursive: true, force: true });
}
