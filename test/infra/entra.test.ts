/**
 * infra/entra.sh with an `az` that records its calls and answers from files: what it creates, and what it leaves alone.
 */
import { execFile } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { roles } from '../../src/functions/pipeline/caller.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'keyward-entra-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const az = `#!/usr/bin/env bash
echo "az $*" >> ${folder}/calls
case "$*" in
  "version"*) echo "$VERSION" ;;
  "cloud show"*) echo "$GRAPH" ;;
  "ad app list"*) cat ${folder}/application ;;
  "ad app create"*) echo new-id ;;
  "ad sp list"*) cat ${folder}/service ;;
  "ad signed-in-user"*) echo my-id ;;
  "ad sp show"*appRoles*Unknown*) ;;
  "ad sp show"*appRoles*) echo role-id ;;
  "ad sp show"*) echo service-id ;;
  "rest --method GET"*) cat ${folder}/assigned ;;
esac
`;
writeFileSync(join(folder, 'az'), az);
chmodSync(join(folder, 'az'), 0o755);

interface Tenant {
  readonly application?: string;
  readonly service?: string;
  readonly assigned?: string;
  /** As the Azure CLI prints it for the cloud of the tenant (azure-cli-core, cloud.py). */
  readonly graph?: string;
  readonly version?: string;
}

async function entra(tenant: Tenant, ...parameters: string[]) {
  for (const name of ['application', 'service', 'assigned'] as const)
    writeFileSync(join(folder, name), tenant[name] ?? '');
  writeFileSync(join(folder, 'calls'), '');
  const { graph = 'https://graph.microsoft.com/', version = '2.60.0' } = tenant;
  const env = { PATH: `${folder}:${process.env.PATH}`, GRAPH: graph, VERSION: version };
  const ended = await promisify(execFile)(`${root}infra/entra.sh`, parameters, { env })
    .then(({ stdout }) => ({ code: 0, stdout, stderr: '' }))
    .catch(({ code, stdout, stderr }) => ({ code, stdout, stderr }));
  return { ...ended, calls: readFileSync(join(folder, 'calls'), 'utf8').trim().split('\n') };
}

describe('infra/entra.sh application', () => {
  it('infra/entra.sh application creates the application with its roles, a scope for persons and the Azure CLI, and prints its client id', async () => {
    const { stdout, calls } = await entra({}, 'application');
    expect(stdout).toBe('new-id\n');
    expect(calls).toEqual([
      expect.stringContaining('az version'),
      expect.stringContaining('az cloud show --query endpoints.microsoftGraphResourceId'),
      expect.stringContaining("ad app list --filter displayName eq 'Keyward'"),
      expect.stringContaining('ad app create --display-name Keyward --sign-in-audience AzureADMyOrg'),
      expect.stringMatching(/ad app update --id new-id --identifier-uris api:\/\/new-id --app-roles @.*roles\.json/),
      expect.stringMatching(/rest --method PATCH .*applications\(appId='new-id'\).*scope\.json/),
      expect.stringMatching(/rest --method PATCH .*applications\(appId='new-id'\).*azureCli\.json/),
      expect.stringContaining('ad sp list'),
      expect.stringContaining('ad sp create --id new-id'),
    ]);
  });

  it('infra/entra.sh application updates an application that exists, and creates nothing', async () => {
    const { stdout, calls } = await entra({ application: 'old-id\n', service: 'service-id\n' }, 'application');
    expect(stdout).toBe('old-id\n');
    expect(calls.filter((call) => call.includes(' create '))).toEqual([]);
    expect(calls.filter((call) => call.includes('PATCH'))).toHaveLength(2);
  });

  it.each([
    ['https://graph.microsoft.com/', 'https://graph.microsoft.com/v1.0/applications'],
    ['https://graph.microsoft.us/', 'https://graph.microsoft.us/v1.0/applications'],
    ['https://microsoftgraph.chinacloudapi.cn', 'https://microsoftgraph.chinacloudapi.cn/v1.0/applications'],
  ])(
    'infra/entra.sh application calls Microsoft Graph of the cloud that the Azure CLI is signed in to: %s',
    async (graph, address) => {
      const { calls } = await entra({ graph }, 'application');
      const patches = calls.filter((call) => call.includes('PATCH'));
      expect(patches).toHaveLength(2);
      expect(patches.filter((call) => !call.includes(`--url ${address}`))).toEqual([]);
    },
  );

  it('infra/entra.sh application creates nothing with an Azure CLI that is too old to deploy Keyward', async () => {
    const { code, stderr, calls } = await entra({ version: '2.59.9' }, 'application');
    expect([code, stderr]).toEqual([1, expect.stringMatching(/2\.59\.9.*2\.60\.0.*az upgrade/)]);
    expect(calls).toHaveLength(1);
  });

  it('infra/entra.sh application refuses to choose between two applications of the same name', async () => {
    const { code, stderr } = await entra({ application: 'one\ntwo\n' }, 'application');
    expect([code, stderr]).toEqual([1, expect.stringContaining('several applications named Keyward')]);
  });
});

describe('infra/entra.sh console', () => {
  it('infra/entra.sh console registers the address for sign-in, and allows the application to call itself', async () => {
    const { code, calls } = await entra({ application: 'old-id\n' }, 'console', 'https://app.example/console/');
    const patches = calls.filter((call) => call.includes('PATCH'));
    expect(code).toBe(0);
    expect(patches[0]).toContain('{"spa":{"redirectUris":["https://app.example/console/"]}}');
    expect(patches[1]).toMatch(/"appId":"04b07795-.*"appId":"old-id"/);
  });

  it('infra/entra.sh console refuses an address that is not the one of a console', async () => {
    expect(await entra({}, 'console', 'http://app.example/')).toMatchObject({ code: 1, calls: [''] });
  });
});

describe('infra/entra.sh allow', () => {
  const tenant = { application: 'old-id\n' };

  it('infra/entra.sh allow assigns each role to the signed-in user', async () => {
    const { code, calls } = await entra(tenant, 'allow', 'me', 'Keys.Operate', 'Audit.Read');
    const posted = calls.filter((call) => call.includes('POST'));
    expect(code).toBe(0);
    expect(posted).toHaveLength(2);
    expect(posted[0]).toContain('{"principalId":"my-id","resourceId":"service-id","appRoleId":"role-id"}');
  });

  it('infra/entra.sh allow leaves a role alone that the principal has already', async () => {
    const { code, calls } = await entra(
      { ...tenant, assigned: 'assignment-id\n' },
      'allow',
      'other-id',
      'Keys.Operate',
    );
    expect([code, calls.filter((call) => call.includes('POST'))]).toEqual([0, []]);
  });

  it('infra/entra.sh allow names a role that the application does not have', async () => {
    const { code, stderr } = await entra(tenant, 'allow', 'me', 'Unknown.Role');
    expect([code, stderr]).toEqual([1, expect.stringContaining('no app role Unknown.Role')]);
  });
});

describe('infra/entra/', () => {
  const read = (name: string) => JSON.parse(readFileSync(`${root}infra/entra/${name}`, 'utf8'));

  it('infra/entra/ has every app role of the API, each with an id of its own', () => {
    const listed: readonly { readonly id: string; readonly value: string }[] = read('roles.json');
    expect(listed.map(({ value }) => value).toSorted(), 'Edit infra/entra/roles.json').toEqual(roles.toSorted());
    expect(new Set(listed.map(({ id }) => id)).size).toBe(listed.length);
  });

  it('infra/entra/ allows the Azure CLI to use the scope that it creates', () => {
    const [scope] = read('scope.json').api.oauth2PermissionScopes;
    const [application] = read('azureCli.json').api.preAuthorizedApplications;
    // The client id of the Azure CLI, alike in every tenant (azure-cli-core, auth/constants.py).
    expect(application).toEqual({
      appId: '04b07795-8ddb-461a-bbee-02f9e1bf7b46',
      delegatedPermissionIds: [scope.id],
    });
  });
});
