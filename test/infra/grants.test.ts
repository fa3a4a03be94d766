/** Which identity has which role on what: the whole list, so that a role more is a change of this file. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { type Deployment, deployment, everything, type Resource } from './deployment.ts';
import { roleNames } from './roles.ts';

const isGrant = ({ type }: Resource): boolean => type === 'Microsoft.Authorization/roleAssignments';

/** `[extensionResourceId('<scope>', ...)]`: the path of what the role is on, from its provider on. */
const scopeOf = ({ id }: Resource): string =>
  /extensionResourceId\('[^']*?\/providers\/([^']+)'/.exec(id)?.[1] ??
  /\/providers\/(.+?)\/providers\//.exec(id)?.[1] ??
  id;

/** The principal of a resource that the deployment makes is that resource; another is a parameter. */
const principalOf = ({ properties: { principalId } }: Resource): string =>
  /\/providers\/([^']+)'.*identity\.principalId/.exec(principalId)?.[1] ?? principalId;

const grantsOf = ({ resources }: Deployment): string[] =>
  resources
    .filter(isGrant)
    .map((grant) => {
      const role = grant.properties.roleDefinitionId.split('/').at(-1);
      return `${principalOf(grant)}: ${roleNames[role] ?? role} on ${scopeOf(grant)}`;
    })
    .toSorted();

describe('the roles that a deployment assigns', () => {
  it('the roles that a deployment assigns let the app use its storage, its own keys, its topic and its telemetry, and no more', () => {
    const app = 'Microsoft.Web/sites/Key-Ward-rr353pys';
    const reaches = '00000000-0000-0000-0000-00000000000a';
    const encryption = 'Key Vault Crypto Service Encryption User';
    const vault = 'Microsoft.KeyVault/vaults/Key-Ward';
    const storage = 'Microsoft.Storage/storageAccounts/keyward';
    expect(grantsOf(everything)).toEqual(
      [
        `${app}: Key Vault Crypto Officer on ${vault}-dr-rr353pys/keys/canary`,
        `${app}: Storage Blob Data Owner on ${storage}hostrr353pys`,
        `${app}: Storage Queue Data Contributor on ${storage}hostrr353pys`,
        `${app}: Storage Table Data Contributor on ${storage}rr353pys`,
        `${app}: Storage Table Data Contributor on ${storage}s2rr353pys`,
        `${app}: Storage Table Data Contributor on ${storage}s3rr353pys`,
        `${app}: ${encryption} on ${vault}-op-rr353pys/keys/system`,
        `${app}: ${encryption} on ${vault}-op-rr353pys/keys/at-rest`,
        `${app}: ${encryption} on ${vault}-rc-rr353pys/keys/recovery`,
        `${app}: EventGrid Data Sender on Microsoft.EventGrid/topics/Key-Ward-announcements-rr353pys`,
        `${app}: Monitoring Metrics Publisher on Microsoft.Insights/components/Key-Ward-rr353pys-insights`,
        // The control look. The identity that only speaks for an application (…000b) has no role at all.
        `${reaches}: ${encryption} on ${vault}-op-rr353pys/keys/system`,
      ].toSorted(),
    );
  });

  it('the roles that a deployment assigns let the topic of the operator vault write dead letters to their container only', () => {
    const container = 'Microsoft.Storage/storageAccounts/keywardhost/blobServices/default/containers/dead-letters';
    expect(grantsOf(deployment('events'))).toEqual([
      `Microsoft.EventGrid/systemTopics/keyward-op-events: Storage Blob Data Contributor on ${container}`,
    ]);
  });

  it("the roles that a deployment assigns let the service use the customer's one key, and nothing else in the vault", () => {
    const service = '00000000-0000-0000-0000-00000000000a';
    expect(grantsOf(deployment('customer'))).toEqual([
      `${service}: Key Vault Crypto Service Encryption User on Microsoft.KeyVault/vaults/contoso-keys/keys/media`,
    ]);
  });

  // Azure refuses to change the principal of a role assignment, so an identity that is made again needs a new name.
  it('the roles that a deployment assigns are named after their principal as well', () => {
    const templates = ['infra/main.json', 'infra/events.json', 'infra/customer/main.json'];
    const grants = templates.flatMap((path) => [...grantsIn(templateOf(path))]);
    expect(grants.length).toBeGreaterThan(6);
    const isNamedAfterIt = ({ name, properties }: Grant) => name.includes(properties.principalId.slice(1, -1));
    expect(grants.filter((grant) => !isNamedAfterIt(grant))).toEqual([]);
  });
});

interface Grant {
  readonly name: string;
  readonly properties: { readonly principalId: string };
}

const templateOf = (path: string): unknown =>
  JSON.parse(readFileSync(fileURLToPath(new URL(`../../${path}`, import.meta.url)), 'utf8'));

/** In a compiled template, at any depth: a module is a deployment with a template of its own. */
function* grantsIn(node: unknown): Generator<Grant> {
  if (typeof node !== 'object' || node === null) return;
  if ('type' in node && node.type === 'Microsoft.Authorization/roleAssignments') yield node as unknown as Grant;
  else for (const below of Object.values(node)) yield* grantsIn(below);
}
