/**
 * A connection plan: its az commands, its Bicep and its Terraform say the same, and the same as the guide for
 * customers.
 */
import { readFileSync } from 'node:fs';
import { parse } from '@cdktn/hcl2json';
import { describe, expect, it, test } from 'vitest';
import { findInstalled } from '../../infra/check/compiler.ts';
import { lintText } from '../../infra/check/lintText.ts';
import { connectionPlan } from '../../src/core/customerPage/connectionPlan.ts';
import type { PlanFacts } from '../../src/core/customerPage/plan.ts';
import { azCommandsIn, refusalOf } from '../az/azCommands.ts';
import { clientId, planFacts, principalId, tenantId } from './planFacts.ts';

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const cases = Object.entries(planFacts).map(([name, facts]) => ({ name, facts: facts as PlanFacts }));
const commandsOf = (facts: PlanFacts): string[] => connectionPlan(facts).az.flatMap(({ commands }) => commands);
// biome-ignore lint/suspicious/noExplicitAny: the parser returns blocks by type and name.
const parsed = async (facts: PlanFacts): Promise<any> => parse('keyward.tf', connectionPlan(facts).terraform.text);
/** As the parser writes an expression. */
const reference = (path: string): string => `$\{${path}}`;
const compiler = await findInstalled({});

describe.each(cases)('the plan for $name', ({ facts }) => {
  const plan = connectionPlan(facts);

  it('the az commands of a plan exist in the Azure CLI, with each of their options', () => {
    const commands = [
      ...commandsOf(facts),
      plan.terraform.apply,
      ...(plan.bicep === undefined ? [] : [plan.bicep.apply]),
    ];
    const found = commands.flatMap(azCommandsIn);
    expect(found.length).toBeGreaterThanOrEqual(commands.length);
    expect(found.flatMap((command) => refusalOf(command) ?? [])).toEqual([]);
  });

  it('a plan has real ids only: no placeholder, and no host of another cloud', () => {
    const { az, bicep, terraform, ...rest } = plan;
    const text = [JSON.stringify(rest), ...az.flatMap(({ commands }) => commands), bicep?.apply, terraform.apply].join(
      '\n',
    );
    expect(text).not.toMatch(/undefined|<|\$PRINCIPAL_ID/);
    expect(bicep?.text ?? '').not.toMatch(/undefined|</);
    expect(terraform.text).not.toContain('undefined');
    const hosts = JSON.stringify(plan).match(/https:\/\/[\w.-]+/g) ?? [];
    const own = {
      public: /azure\.net$|microsoftonline\.com$/,
      usgov: /usgovcloudapi\.net$/,
      china: /azure\.cn$|\.cn$/,
    };
    expect(hosts.filter((host) => !own[facts.cloud].test(host))).toEqual([]);
  });

  it('the Terraform of a plan is read by the parser of HashiCorp, and has the role on the key for the principal', async () => {
    const { resource, output } = await parsed(facts);
    const isHsm = plan.bicep === undefined;
    const prefix = isHsm ? 'azurerm_key_vault_managed_hardware_security_module' : 'azurerm_key_vault';
    const key = resource[`${prefix}_key`].key[0];
    expect([key.name, key.key_type, key.key_size, key.key_opts]).toEqual([
      'media',
      isHsm ? 'RSA-HSM' : 'RSA',
      3072,
      ['wrapKey', 'unwrapKey'],
    ]);
    const role = resource[isHsm ? `${prefix}_role_assignment` : 'azurerm_role_assignment'].service[0];
    const isAcross = 'federatedIdentityClientId' in facts.identity;
    expect(role.principal_id).toBe(isAcross ? reference('azuread_service_principal.service.object_id') : principalId);
    if (isAcross) expect(resource.azuread_service_principal.service[0]).toMatchObject({ client_id: clientId });
    if (!isHsm) expect(role.scope).toBe(reference('azurerm_key_vault_key.key.resource_versionless_id'));
    expect(output.key_identifier).toHaveLength(1);
  });
});

test('the parser of HashiCorp refuses a configuration with an open block', async () => {
  const { text } = connectionPlan(planFacts.vault).terraform;
  await expect(parse('keyward.tf', text.slice(0, text.lastIndexOf('}')))).rejects.toThrow();
});

test('the az commands of a plan are those of the guide for customers', () => {
  const guide = read('infra/customer/README.md')
    .replaceAll(/\s*\\\n\s*/g, ' ')
    .replaceAll('\\"', '"');
  const plain = (text: string): string => text.replaceAll(/["']/g, '');
  const values = { $VAULT_ID: '$(az keyvault show --name contoso-keys --query id -o tsv)', $VAULT: 'contoso-keys' };
  const more = {
    $KEY: 'media',
    $SERVICE: principalId,
    '<vault>': 'contoso-keys',
    '<group>': 'contoso-keys',
    '<region>': 'westeurope',
  };
  const filled = Object.entries({ ...values, ...more }).reduce(
    (text, [name, value]) => text.replaceAll(name, value),
    guide,
  );
  const lines = plain(filled).split('\n');
  const [group, ...commands] = commandsOf(planFacts.vault);
  expect(group).toBe('az group create --name contoso-keys --location westeurope');
  expect(commands.map(plain).filter((command) => !lines.some((line) => line.trim() === command))).toEqual([]);
  expect(commands).toHaveLength(4);
});

/** What is left when the parameters have values, and the texts for a reader are removed. */
function templateOf(bicep: string): string[] {
  const values = {
    'parent: vault\n  name: keyName': "parent: vault\n  name: 'media'",
    'name: vaultName': "name: 'contoso-keys'",
    'kty: keyType': "kty: 'RSA'",
    'keySize: keySize': 'keySize: 3072',
    'timeAfterCreate: rotateAfter': "timeAfterCreate: 'P1Y'",
    servicePrincipalId: `'${principalId}'`,
  };
  const begin = bicep.slice(bicep.indexOf('var cryptoServiceEncryptionUser'));
  return Object.entries(values)
    .reduce((text, [from, to]) => text.replaceAll(from, to), begin)
    .split('\n')
    .filter((line) => !/^\s*(@description|\/\/|tags: tags|$)/.test(line));
}

test('the Bicep of a plan is the template for customers with the values of the key', () => {
  const { text } = connectionPlan(planFacts.vault).bicep ?? expect.fail();
  expect(text.split('\n').filter((line) => line !== '')).toEqual(templateOf(read('infra/customer/main.bicep')));
});

test.skipIf(compiler === undefined).each(['vault', 'otherTenant'] as const)(
  'the Bicep compiler accepts the Bicep of the plan for %s without a warning',
  async (name) => {
    const { text } = connectionPlan(planFacts[name]).bicep ?? expect.fail();
    expect(await lintText(text, compiler ?? expect.fail())).toBe('');
    expect(
      await lintText(
        text.replace('vault.', 'vaults.').replace('parent: vault', 'parent: none'),
        compiler ?? expect.fail(),
      ),
    ).toContain('none');
  },
);

test('a plan across tenants names the application, the page of consent in the customer’s tenant, and the command that finds its principal', () => {
  const { application, az, bicep, principalId: known } = connectionPlan(planFacts.otherTenant);
  expect(application).toEqual({
    clientId,
    tenantId,
    // Microsoft Entra docs, "Grant tenant-wide admin consent to an application".
    consentAddress: `https://login.microsoftonline.com/${tenantId}/adminconsent?client_id=${clientId}`,
  });
  expect(known).toBeUndefined();
  expect(az[0]?.commands).toEqual([`az ad sp create --id ${clientId}`]);
  const found = `"$(az ad sp show --id ${clientId} --query id -o tsv)"`;
  expect(az.at(-1)?.commands[0]).toContain(`--assignee-object-id ${found} `);
  expect(bicep?.apply).toContain(`--parameters servicePrincipalId=${found}`);
  const after = connectionPlan(planFacts.otherTenantKnown);
  expect(after.az.at(-1)?.commands[0]).toContain(`--assignee-object-id ${principalId} `);
});

test('a plan for a Managed HSM uses its local role, and has no Bicep', () => {
  const { az, bicep, role, scope } = connectionPlan(planFacts.hsm);
  expect([role, scope, bicep]).toEqual(['Managed HSM Crypto Service Encryption User', '/keys/media', undefined]);
  expect(az.flatMap(({ commands }) => commands).join('\n')).not.toMatch(
    /--vault-name|--name contosohsm|az role assignment/,
  );
});

test('a plan for another cloud names its sign-in page and the environment of its providers', async () => {
  const { application } = connectionPlan(planFacts.china);
  expect(application?.consentAddress).toMatch(/^https:\/\/login\.partner\.microsoftonline\.cn\//);
  const environments = async (facts: PlanFacts) =>
    Object.values((await parsed(facts)).provider as Record<string, [{ environment: string }]>).map(
      ([one]) => one.environment,
    );
  expect(await environments(planFacts.china)).toEqual(['china', 'china']);
  expect(await environments(planFacts.usgov)).toEqual(['usgovernment']);
});
