/**
 * The routes by family. Each family is a part of the built app that loads with the first call of one of its routes,
 * because its schemas and handlers are most of what a first call costs.
 */
import type { Route } from './pipeline/route.ts';

type Family = () => Promise<readonly Route[]>;

export const families = {
  accounts: async () => (await import('./http/accounts/accountRoutes.ts')).accountRoutes,
  dryRuns: async () => (await import('./http/accounts/validateEncryption.ts')).dryRunRoutes,
  contentKeys: async () => (await import('./http/secrets/contentKeys.ts')).contentKeyRoutes,
  jobInputs: async () => (await import('./http/secrets/jobInputs.ts')).jobInputRoutes,
  tokenKeys: async () => (await import('./http/secrets/tokenKeys.ts')).tokenKeyRoutes,
  dataKeys: async () => (await import('./http/dataKeys/dataKeys.ts')).dataKeyRoutes,
  keyStatus: async () => (await import('./http/dataKeys/keyStatus.ts')).keyStatusRoutes,
  dataKeyUsage: async () => (await import('./http/dataKeys/dataKeyUsage.ts')).dataKeyUsageRoutes,
  identityRepair: async () => (await import('./http/accounts/repairIdentity.ts')).identityRepairRoutes,
  claims: async () => (await import('./http/claims/claims.ts')).claimRoutes,
  customerLinks: async () => (await import('./http/customer/links.ts')).customerLinkRoutes,
  customers: async () => (await import('./http/customer/customer.ts')).customerRoutes,
  drills: async () => (await import('./http/drills/drills.ts')).drillRoutes,
  identities: async () => (await import('./http/identities/identities.ts')).identityRoutes,
  keys: async () => (await import('./http/keys/keyRoutes.ts')).keyRoutes,
  rings: async () => (await import('./http/rings/rings.ts')).ringRoutes,
  overview: async () => (await import('./http/overview/overview.ts')).overviewRoutes,
  audit: async () => (await import('./http/audit/audit.ts')).auditRoutes,
  erasure: async () => (await import('./http/audit/erasure.ts')).erasureRoutes,
  attestation: async () => (await import('./http/audit/attestation.ts')).attestationRoutes,
  events: async () => (await import('./http/events/eventWebhook.ts')).eventRoutes,
  health: async () => (await import('./http/health/health.ts')).healthRoutes,
  ams: async () => (await import('./ams/routes.ts')).amsRoutes,
  openApi: async () => (await import('./http/openApi/openApiRoute.ts')).openApiRoutes(allRoutes),
} satisfies Record<string, Family>;

async function allRoutes(): Promise<readonly Route[]> {
  return (await Promise.all(Object.values(families).map((load) => load()))).flat();
}

export type FamilyName = keyof typeof families;
