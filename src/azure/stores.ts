/** Opens the stores of the app: each on the tables that its adapter names. */

import { createAccountStore } from './accountTable.ts';
import { createChainDirectory, createVerificationStore } from './attestationTables.ts';
import { createBindingStore } from './bindingTable.ts';
import { createClaims } from './claimTable.ts';
import { createCustomerLinkStore } from './customerLinkTable.ts';
import { createDataKeyUseStore, createStatusKeyStore } from './dataKeyTables.ts';
import { createDirectory } from './directoryTable.ts';
import { createErasureStore } from './erasureTables.ts';
import { createIdentityDenialStore } from './identityDenialTable.ts';
import { createOperationStore } from './operationTable.ts';
import { createOutbox } from './outboxTable.ts';
import { createOverviewIndex, createTimelineIndex } from './overviewTable.ts';
import { ownCredential } from './ownCredential.ts';
import { createDailyPassStore, createDrillStore, createRangeStore, createSweepMark } from './passTables.ts';
import { createPurgeSchedule } from './purgeTable.ts';
import { createResourceStore } from './resourceTable.ts';
import { createRingStore } from './ringTable.ts';
import type { RowAuthentication } from './rowAuthentication.ts';
import { createRowRenewal } from './rowRenewal.ts';
import type { HttpClient } from './sdk/http.ts';
import { TableClient } from './sdk/tables.ts';
import { createSecretStore } from './secretTable.ts';
import { createServiceAuditStore } from './serviceAuditTable.ts';
import { endpointsIn, isDevelopment } from './settingChecks.ts';
import type { Settings } from './settings.ts';
import { storageRetries, tableHttp } from './storageClients.ts';
import type { TableRequests } from './tableConnection.ts';
import { openTables } from './tables.ts';
import { createVaultStore } from './vaultTable.ts';

/** @param transport carries the requests where they do not go over the network. */
export async function openStores(
  settings: Settings,
  transport: HttpClient | undefined,
  authentication: RowAuthentication,
) {
  const open = openTables(await clientsFor(settings, transport), authentication);
  return {
    accounts: createAccountStore(open),
    secrets: createSecretStore(open),
    dataKeyUse: createDataKeyUseStore(open),
    statusKeyStore: createStatusKeyStore(open),
    chainDirectory: createChainDirectory(open),
    verifications: createVerificationStore(open),
    resources: createResourceStore(open),
    operations: createOperationStore(open),
    bindings: createBindingStore(open),
    vaults: createVaultStore(open),
    directory: createDirectory(open),
    purgeSchedule: createPurgeSchedule(open),
    customerLinks: createCustomerLinkStore(open),
    claims: createClaims(open),
    ringStore: createRingStore(open, endpointsIn(settings.KEYWARD_ADDITIONAL_TABLES_ENDPOINTS).length === 0),
    serviceAudit: createServiceAuditStore(open),
    sweepMark: createSweepMark(open),
    ranges: createRangeStore(open),
    identityDenials: createIdentityDenialStore(open),
    drills: createDrillStore(open),
    dailyPass: createDailyPassStore(open),
    outbox: createOutbox(open),
    erasure: createErasureStore(open),
    rowRenewal: createRowRenewal(open),
    overviewIndex: createOverviewIndex(open),
    timelineIndex: createTimelineIndex(open),
  };
}

async function clientsFor(
  settings: Settings,
  transport: HttpClient | undefined,
): Promise<(table: string) => TableRequests> {
  const { AzureWebJobsStorage: connection = '', KEYWARD_TABLES_ENDPOINT: endpoint } = settings;
  const credential = endpoint === undefined ? undefined : await ownCredential();
  const options = {
    httpClient: transport ?? tableHttp(settings.policy.storageDeadlineSeconds),
    retryOptions: storageRetries,
    allowInsecureConnection: isDevelopment(settings),
  };
  const clientsOf = (account: string) => (name: string) => {
    // The address of a batch names no table: the storage log and tests recognise this process by it.
    const named = { ...options, userAgentOptions: { userAgentPrefix: name } };
    return credential === undefined
      ? TableClient.fromConnectionString(account, name, named)
      : new TableClient(account, name, credential, named);
  };
  const first = clientsOf(endpoint ?? connection);
  const more = endpointsIn(settings.KEYWARD_ADDITIONAL_TABLES_ENDPOINTS);
  if (more.length === 0) return first;
  return (await import('./shards/shardedClients.ts')).shardedClients([first, ...more.map(clientsOf)]);
}
