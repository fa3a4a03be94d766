/**
 * The routes of Azure Media Services' clients. They declare no contract, because Microsoft has published it. The host
 * ignores case and uses the first function, by name, that fits; so `amsUnknown` comes last. The first call of one of
 * these routes loads its handler.
 */
import type { HttpResponseInit } from '@azure/functions';
import { keyChangeRefusal } from '../pipeline/auditedRefusals.ts';
import type { RouteHandler } from '../pipeline/call.ts';
import type { Route } from '../pipeline/route.ts';

const subscription = 'subscriptions/{subscriptionId}';
const provider = 'providers/Microsoft.Media';
const group = `${subscription}/resourceGroups/{resourceGroupName}/${provider}/mediaservices`;
const account = `${group}/{accountName}`;
const location = `${subscription}/${provider}/locations/{locationName}`;

const later =
  (load: () => Promise<RouteHandler>): RouteHandler =>
  async (call) =>
    asOData(await (await load())(call));

/** The headers that Azure Media Services had on answers with a body. */
const asOData = (answer: HttpResponseInit): HttpResponseInit =>
  answer.jsonBody === undefined ? answer : { ...answer, headers: { ...answer.headers, ...oDataHeaders } };

const oDataHeaders = { 'Content-Type': 'application/json; odata.metadata=minimal', 'OData-Version': '4.0' } as const;

type Facts = Pick<Route, 'role' | 'whileInaccessible' | 'auditedRefusal'> & { readonly scope?: Route['scope'] };

const on = (
  name: string,
  method: Route['method'],
  path: string,
  facts: Facts,
  load: () => Promise<RouteHandler>,
): Route => ({
  name: `ams${name}`,
  method,
  path,
  scope: 'account',
  bearerOnly: true,
  ...facts,
  handler: later(load),
});

const readAccounts = { role: 'Accounts.Read', whileInaccessible: 'allowed' } as const;
const changeAccounts = { role: 'Accounts.Write', auditedRefusal: keyChangeRefusal } as const;
const readSecrets = { role: 'Secrets.Read' } as const;
const writeSecrets = { role: 'Secrets.Write' } as const;
const reveal = { role: 'Secrets.Reveal' } as const;

const accounts = () => import('./accounts.ts');
const operations = () => import('./operations.ts');
const locators = async () => (await import('./streamingLocators.ts')).streamingLocators;
const policies = async () => (await import('./contentKeyPolicies.ts')).contentKeyPolicies;
const transforms = async () => (await import('./transforms.ts')).transforms;
const jobs = async () => (await import('./jobs.ts')).jobs;
const streaming = async () => (await import('./streamingPolicies.ts')).streamingPolicies;
const harmless = () => import('./harmless.ts');

const accountRoutes: readonly Route[] = [
  on(
    'AccountsListBySubscription',
    'GET',
    `${subscription}/${provider}/mediaservices`,
    readAccounts,
    async () => (await accounts()).list,
  ),
  // For API version 2020-05-01 and earlier.
  on(
    'AccountsGetBySubscription',
    'GET',
    `${subscription}/${provider}/mediaservices/{accountName}`,
    readAccounts,
    async () => (await accounts()).get,
  ),
  on('AccountsList', 'GET', group, readAccounts, async () => (await accounts()).list),
  on('AccountsGet', 'GET', account, readAccounts, async () => (await accounts()).get),
  on('AccountsPut', 'PUT', account, changeAccounts, async () => (await accounts()).createOrUpdate),
  on('AccountsPatch', 'PATCH', account, changeAccounts, async () => (await accounts()).update),
  on(
    'AccountsDelete',
    'DELETE',
    account,
    { role: 'Accounts.Delete', whileInaccessible: 'allowed' },
    async () => (await accounts()).remove,
  ),
  // An operation is a view of its account, so following it is a GET.
  on(
    'OperationStatus',
    'GET',
    `${location}/mediaServicesOperationStatuses/{operationId}`,
    readAccounts,
    async () => (await operations()).status,
  ),
  on(
    'OperationResult',
    'GET',
    `${location}/mediaServicesOperationResults/{operationId}`,
    readAccounts,
    async () => (await operations()).result,
  ),
  on(
    'NameAvailability',
    'POST',
    `${location}/checkNameAvailability`,
    { role: 'Accounts.Read', scope: 'subscription' },
    async () => (await accounts()).checkNameAvailability,
  ),
  on(
    'Operations',
    'GET',
    `${provider}/operations`,
    { role: 'Accounts.Read', scope: 'subscription' },
    async () => (await operations()).list,
  ),
];

const locator = `${account}/streamingLocators/{streamingLocatorName}`;
const policy = `${account}/contentKeyPolicies/{contentKeyPolicyName}`;
const transform = `${account}/transforms/{transformName}`;
const job = `${transform}/jobs/{jobName}`;
const streamingPolicy = `${account}/streamingPolicies/{streamingPolicyName}`;

const resourceRoutes: readonly Route[] = [
  on('LocatorsList', 'GET', `${account}/streamingLocators`, readSecrets, async () => (await locators()).list),
  on('LocatorsGet', 'GET', locator, readSecrets, async () => (await locators()).get),
  on('LocatorsPut', 'PUT', locator, writeSecrets, async () => (await locators()).create),
  on('LocatorsDelete', 'DELETE', locator, writeSecrets, async () => (await locators()).remove),
  on(
    'LocatorsListContentKeys',
    'POST',
    `${locator}/listContentKeys`,
    reveal,
    async () => (await locators()).listContentKeys,
  ),
  on('LocatorsListPaths', 'POST', `${locator}/listPaths`, readSecrets, async () => (await locators()).listPaths),
  on('PoliciesList', 'GET', `${account}/contentKeyPolicies`, readSecrets, async () => (await policies()).list),
  on('PoliciesGet', 'GET', policy, readSecrets, async () => (await policies()).get),
  on('PoliciesPut', 'PUT', policy, writeSecrets, async () => (await policies()).createOrUpdate),
  on('PoliciesPatch', 'PATCH', policy, writeSecrets, async () => (await policies()).update),
  on('PoliciesDelete', 'DELETE', policy, writeSecrets, async () => (await policies()).remove),
  on(
    'PoliciesGetWithSecrets',
    'POST',
    `${policy}/getPolicyPropertiesWithSecrets`,
    reveal,
    async () => (await policies()).getPolicyPropertiesWithSecrets,
  ),
  on('TransformsList', 'GET', `${account}/transforms`, readSecrets, async () => (await transforms()).list),
  on('TransformsGet', 'GET', transform, readSecrets, async () => (await transforms()).get),
  on('TransformsPut', 'PUT', transform, writeSecrets, async () => (await transforms()).createOrUpdate),
  on('TransformsPatch', 'PATCH', transform, writeSecrets, async () => (await transforms()).update),
  on('TransformsDelete', 'DELETE', transform, writeSecrets, async () => (await transforms()).remove),
  on('JobsList', 'GET', `${transform}/jobs`, readSecrets, async () => (await jobs()).list),
  on('JobsGet', 'GET', job, readSecrets, async () => (await jobs()).get),
  on('JobsPut', 'PUT', job, writeSecrets, async () => (await jobs()).create),
  on('JobsPatch', 'PATCH', job, writeSecrets, async () => (await jobs()).update),
  on('JobsCancel', 'POST', `${job}/cancelJob`, writeSecrets, async () => (await jobs()).cancel),
  on('JobsDelete', 'DELETE', job, writeSecrets, async () => (await jobs()).remove),
  on('StreamingPoliciesList', 'GET', `${account}/streamingPolicies`, readSecrets, async () => (await streaming()).list),
  on('StreamingPoliciesGet', 'GET', streamingPolicy, readSecrets, async () => (await streaming()).get),
];

const own = { role: 'Accounts.Read' } as const;

const harmlessRoutes: readonly Route[] = [
  on(
    'EndpointConnections',
    'GET',
    `${account}/privateEndpointConnections`,
    own,
    async () => (await harmless()).emptyList,
  ),
  on('LinkResources', 'GET', `${account}/privateLinkResources`, own, async () => (await harmless()).emptyList),
  on('SyncStorageKeys', 'POST', `${account}/syncStorageKeys`, own, async () => (await harmless()).nothingToDo),
];

const known: readonly Route[] = [...accountRoutes, ...resourceRoutes, ...harmlessRoutes];

const methods = { GET: 'Get', PUT: 'Put', PATCH: 'Patch', POST: 'Post', DELETE: 'Delete' } as const;

const unknownRoutes = Object.entries(methods).map(([method, word]) =>
  on(`Unknown${word}`, method as keyof typeof methods, `${account}/{*unknown}`, { role: 'Accounts.Read' }, async () =>
    (await import('./unknown.ts')).unknown(known),
  ),
);

export const amsRoutes: readonly Route[] = [...known, ...unknownRoutes];
