/** The names in the example lines of the control calls. They exist, as far as the directory has any of the kind. */
import type { World } from '../world.ts';

export type ExampleNames = {
  tenant: string;
  /** An application. */
  name: string;
  managedIdentity: string;
  credential: string;
  roles: string[];
  apiAudience: string;
  id: string;
};

export function exampleNames({ directory, apiAudiences, faults }: World): ExampleNames {
  const principals = directory.principals();
  const isManaged = (kind: string) => kind === 'userAssigned' || kind === 'systemAssigned';
  const application = principals.find(({ kind }) => kind === 'application');
  const roles = [...new Set(principals.flatMap((principal) => principal.roles))];
  return {
    tenant: directory.tenants()[0]?.tenantId ?? '11111111-1111-4111-8111-111111111111',
    name: application?.name ?? 'service',
    managedIdentity: principals.find(({ kind }) => isManaged(kind))?.name ?? 'app-identity',
    credential: directory.credentialNames(application?.name)[0] ?? 'credential',
    roles: roles.slice(0, 2),
    apiAudience: [...apiAudiences][0] ?? 'api://app',
    id: String(faults.list()[0]?.id ?? 1),
  };
}
