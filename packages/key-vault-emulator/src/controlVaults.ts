/** Control calls: vaults. */
import * as z from 'zod';
import { type ControlRoute, notFound, read, vaultOf } from './controlCall.ts';
import { clouds, vaultKinds } from './hosts.ts';
import { authModels, firewallModes, recoveryLevels } from './model.ts';
import { createVault, deleteVault, purgeVault, recoverVault, retentionDays } from './vaults.ts';
import { viewVault } from './vaultView.ts';
import { emitAccessPolicyChanged, emitVaultDeleted } from './world.ts';

export const throttle = z.strictObject({
  enabled: z.boolean().optional(),
  burstSeconds: z.number().positive().optional(),
  perSecond: z.record(z.string(), z.number().positive()).optional(),
  retryAfterSeconds: z.number().nonnegative().nullable().optional(),
});

export const answers = z.strictObject({
  policyInnerCode: z.enum(['AccessDenied', 'ForbiddenByPolicy']).optional(),
  innerErrors: z.boolean().optional(),
  wrapOnDisabled: z.enum(['refused', 'allowed']).optional(),
  expiredInnerCode: z.string().nullable().optional(),
  existenceBeforePermission: z.boolean().optional(),
  deletedVault: z.union([z.string().min(1), z.number().int().min(400).max(599)]).optional(),
  undecryptable: z.enum(['current', 'oaep']).optional(),
  rbacBody: z.enum(['vault', 'managedhsm']).optional(),
});

const recoverableDays = z.number().int().optional();

const newVault = z.strictObject({
  name: z.string().regex(/^[A-Za-z][A-Za-z0-9-]{2,23}$/, 'must be 3 to 24 letters, digits and dashes, a letter first'),
  tenantId: z.guid().transform((id) => id.toLowerCase()),
  location: z.string().min(1).default('westeurope'),
  kind: z.enum(vaultKinds).default('vault'),
  cloud: z.enum(clouds).default('public'),
  subscriptionId: z.guid().default('00000000-0000-4000-8000-000000000001'),
  resourceGroup: z.string().min(1).default('rg-keyward-local'),
  recoveryLevel: z.enum(recoveryLevels).default('Recoverable'),
  recoverableDays,
  authModel: z.enum(authModels).default('rbac'),
  firewall: z.enum(firewallModes).default('ok'),
  throttle: throttle.default({}),
  answers: answers.default({}),
});

const changes = z.strictObject({
  firewall: z.enum(firewallModes).optional(),
  authModel: z.enum(authModels).optional(),
  recoveryLevel: z.enum(recoveryLevels).optional(),
  recoverableDays,
  throttle: throttle.optional(),
  answers: answers.optional(),
});

export const vaultRoutes: ControlRoute[] = [
  {
    method: 'POST',
    path: '/control/vaults',
    about: 'create a vault or Managed HSM',
    example: ({ tenant }) => ({ name: 'fabrikam-keys', tenantId: tenant, location: 'westeurope' }),
    run({ world, body }) {
      const input = read(newVault, body);
      const { throttle: limits, answers: settings, ...rest } = input;
      const vault = createVault(world.vaults, { ...rest, throttle: defined(limits), answers: defined(settings) });
      return viewVault(vault);
    },
  },
  {
    method: 'GET',
    path: '/control/vaults',
    about: 'all vaults, deleted ones included',
    run: ({ world }) => [...world.vaults.values()].map(viewVault),
  },
  {
    method: 'GET',
    path: '/control/vaults/:vault',
    about: 'one vault, its grants, event subscriptions and keys',
    run: (call) => viewVault(vaultOf(call)),
  },
  {
    method: 'PATCH',
    path: '/control/vaults/:vault',
    about: `change firewall (${firewallModes.join(', ')}), authModel (rbac, policy), recoveryLevel, throttle, answers`,
    example: () => ({ firewall: 'ForbiddenByFirewall' }),
    run(call) {
      const vault = vaultOf(call);
      const change = read(changes, call.body);
      if (change.firewall) vault.firewall = change.firewall;
      if (change.recoveryLevel) {
        vault.recoverableDays = retentionDays(change.recoveryLevel, change.recoverableDays);
        vault.recoveryLevel = change.recoveryLevel;
      }
      vault.throttle = { ...vault.throttle, ...defined(change.throttle) };
      vault.answers = { ...vault.answers, ...defined(change.answers) };
      if (change.authModel && change.authModel !== vault.authModel) {
        vault.authModel = change.authModel;
        emitAccessPolicyChanged(call.world, vault);
      }
      return viewVault(vault);
    },
  },
  {
    method: 'DELETE',
    path: '/control/vaults/:vault',
    about: 'delete a vault: its name no longer resolves, and its grants and event subscriptions are deleted for good',
    run(call) {
      const vault = vaultOf(call);
      if (vault.deleted) throw notFound(`live vault ${vault.name}`);
      deleteVault(call.world.vaults, vault, call.world.clock.now());
      emitVaultDeleted(call.world, vault);
      return viewVault(vault);
    },
  },
  {
    method: 'POST',
    path: '/control/vaults/:vault/recover',
    about: 'recover a deleted vault: its keys return, its grants and event subscriptions do not',
    run(call) {
      const vault = vaultOf(call);
      recoverVault(vault);
      return viewVault(vault);
    },
  },
  {
    method: 'POST',
    path: '/control/vaults/:vault/purge',
    about: 'purge a deleted vault (refused with purge protection)',
    run: (call) => purgeVault(call.world.vaults, vaultOf(call)),
  },
];

function defined<T extends object>(input: T | undefined): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const entries = Object.entries(input ?? {}).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]?: Exclude<T[K], undefined> };
}
