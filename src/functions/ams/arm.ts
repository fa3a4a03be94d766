/**
 * The parts that the routes of Azure Media Services share: API versions, ids and links as Azure Resource Manager writes
 * them.
 */
import type { HttpRequest } from '@azure/functions';
import type { AccountView } from '../../core/accounts/account.ts';
import { accountNotFound, findAccount } from '../../core/accounts/readAccount.ts';
import { type ArmPath, isAt } from '../../core/base/armPath.ts';
import { Refusal } from '../../core/base/errors.ts';
import { parseAccountName } from '../../core/base/names.ts';
import { type EpochMs, iso } from '../../core/base/time.ts';
import type { Call } from '../pipeline/call.ts';
import { absoluteUrl } from '../pipeline/links.ts';

/** Calls are synchronous before 2021-11-01 and long-running operations from then on. */
export const accountVersions = ['2020-05-01', '2021-05-01', '2021-06-01', '2021-11-01', '2023-01-01'] as const;
export const metadataVersions = ['2020-05-01', '2021-05-01', '2021-06-01', '2021-11-01', '2022-08-01'] as const;
export const encodingVersions = ['2020-05-01', '2021-05-01', '2021-06-01', '2021-11-01', '2022-07-01'] as const;

export type AccountVersion = (typeof accountVersions)[number];

/** @throws Refusal InvalidParameter that lists the supported versions. */
export function versionIn<V extends string>(request: HttpRequest, supported: readonly V[]): V {
  const requested = request.query.get('api-version');
  const version = supported.find((one) => one === requested);
  if (version !== undefined) return version;
  const what =
    requested === null
      ? 'The query parameter api-version is missing.'
      : 'This route does not support this api-version.';
  throw new Refusal('InvalidParameter', `${what} Supported: ${supported.join(', ')}.`, { target: 'api-version' });
}

/**
 * A list refuses each parameter that it does not apply: a filter that is ignored returns everything. @throws Refusal
 * InvalidParameter
 */
export function refuseOptions({ query }: HttpRequest, applied: readonly string[] = []): void {
  const known = ['api-version', ...applied];
  const unknown = [...query.keys()].find((name) => !known.includes(name))?.slice(0, 100);
  if (unknown === undefined) return;
  const message = `${unknown} is not supported here: the call takes ${known.join(', ')}.`;
  throw new Refusal('InvalidParameter', message, { target: unknown });
}

export const placeIn = ({ params }: HttpRequest): ArmPath => ({
  subscriptionId: params.subscriptionId ?? '',
  resourceGroup: params.resourceGroupName ?? '',
});

/** The account of the path. An account of this name at another path counts as absent. */
export async function accountIn({ request, service, known }: Call): Promise<AccountView | undefined> {
  const name = parseAccountName(request.params.accountName ?? '');
  const view = known === undefined ? await findAccount(name, service) : (await known).view;
  return isAt(view?.record.place, pathIn(request)) ? view : undefined;
}

/** @throws Refusal AccountNotFound */
export async function accountAt(call: Call): Promise<AccountView> {
  const view = await accountIn(call);
  if (view === undefined) throw accountNotFound(call.request.params.accountName ?? '');
  return view;
}

/** The resource group is undefined on the path of a subscription. */
export const pathIn = ({ params: { subscriptionId = '', resourceGroupName: resourceGroup } }: HttpRequest) => ({
  subscriptionId,
  resourceGroup,
});

export const accountType = 'Microsoft.Media/mediaservices';

export const accountId = ({ subscriptionId, resourceGroup }: ArmPath, name: string): string =>
  `/subscriptions/${subscriptionId}/resourceGroups/${resourceGroup}/providers/${accountType}/${name}`;

interface Times {
  readonly createdAt: EpochMs;
  readonly updatedAt: EpochMs;
}

/** 2020-05-01 does not have it. */
export const systemData = ({ createdAt, updatedAt }: Times, version: string | null) =>
  version === '2020-05-01' ? {} : { systemData: { createdAt: iso(createdAt), lastModifiedAt: iso(updatedAt) } };

/** Clients follow the link unchanged, so it is absolute and names the api-version. Undefined on the last page. */
export function nextLink(request: HttpRequest, token: string | undefined, more: Readonly<Record<string, string>> = {}) {
  if (token === undefined) return {};
  const query = new URLSearchParams({
    'api-version': request.query.get('api-version') ?? '',
    ...more,
    $skipToken: token,
  });
  return { '@odata.nextLink': absoluteUrl(request, `${new URL(request.url).pathname}?${query}`) };
}

export const noStore = { 'Cache-Control': 'no-store' } as const;
