/** Control calls: grants on a vault's keys. */
import * as z from 'zod';
import { putGrant, removeGrant, roles } from './authorize.ts';
import { type ControlRoute, notFound, param, read, vaultOf } from './controlCall.ts';
import { authModels, permissions } from './model.ts';
import { viewVault } from './vaultView.ts';
import { emitAccessPolicyChanged, emitRoleAssignmentsDeleted } from './world.ts';

const grant = z.strictObject({
  permissions: z.union(
    [
      z.array(z.enum(permissions)),
      z.enum(['cryptoServiceEncryptionUser', 'cryptoOfficer']).transform((role) => roles[role] ?? []),
    ],
    `must be cryptoServiceEncryptionUser, cryptoOfficer or a list of ${permissions.join(', ')}`,
  ),
  key: z.string().optional(),
  model: z.enum(authModels).optional(),
});

const grantScope = z.strictObject({ key: z.string().optional(), model: z.enum(authModels).optional() });

export const grantRoutes: ControlRoute[] = [
  {
    method: 'PUT',
    path: '/control/vaults/:vault/grants/:principal',
    about: 'grant permissions to an object id; "key" narrows the scope (RBAC), "model" if not the vault\'s own',
    example: () => ({ permissions: 'cryptoServiceEncryptionUser' }),
    run(call) {
      const vault = vaultOf(call);
      const { permissions: granted, key, model = vault.authModel } = read(grant, call.body);
      if (model === 'policy' && key !== undefined) read(z.never('key: access policies have no scope of a key'), key);
      const { clock, timings } = call.world;
      putGrant(
        vault,
        { principal: param(call, 'principal'), permissions: granted, key, model },
        clock,
        timings.grantDelayMs,
      );
      if (model === 'policy') emitAccessPolicyChanged(call.world, vault);
      return viewVault(vault);
    },
  },
  {
    method: 'DELETE',
    path: '/control/vaults/:vault/grants/:principal',
    about: 'remove a grant; ?key=NAME for one at the scope of a key, ?model=rbac|policy',
    run(call) {
      const vault = vaultOf(call);
      const { key, model = vault.authModel } = read(grantScope, call.query);
      const principal = param(call, 'principal');
      const { clock, timings } = call.world;
      const { removed, assignments } = removeGrant(vault, { principal, key, model }, clock, timings.grantDelayMs);
      if (!removed) throw notFound(`grant of ${principal}`);
      emitRoleAssignmentsDeleted(call.world, vault, assignments);
      if (model === 'policy') emitAccessPolicyChanged(call.world, vault);
      return viewVault(vault);
    },
  },
];
