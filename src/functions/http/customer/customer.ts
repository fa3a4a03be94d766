/**
 * The calls that a customer's link opens. Each is about the owner of the link, which the pipeline has put into the
 * call, and about no account secret.
 */
import type { HttpRequest } from '@azure/functions';
import * as z from 'zod';
import { validateKeyOf } from '../../../core/accounts/operatorDryRun.ts';
import { revocationReceipts } from '../../../core/attestation/revocationReceipt.ts';
import { Refusal } from '../../../core/base/errors.ts';
import { parseKeyIdentifier } from '../../../core/customerKey/keyIdentifier.ts';
import { identityFor } from '../../../core/customerPage/ownKeys.ts';
import type { IndexPosition } from '../../../core/overview/indexRows.ts';
import { listIndexedAccounts } from '../../../core/overview/listAccounts.ts';
import { listKeys } from '../../../core/overview/listKeys.ts';
import { blockBoundMs, releaseBoundMs } from '../../../core/watch/blockBound.ts';
import type { RouteHandler } from '../../pipeline/call.ts';
import { count, owner } from '../../pipeline/contractParts.ts';
import { orAbsent } from '../../pipeline/lenientInput.ts';
import { parsed, readJson } from '../../pipeline/requestBody.ts';
import type { Route } from '../../pipeline/route.ts';
import { validationAnswer } from '../accounts/validateEncryption.ts';
import { receipts as receiptsAnswer } from '../audit/attestationContract.ts';
import { overviewKey, overviewKeyExample } from '../overview/overviewContract.ts';
import { renderListedKey } from '../overview/overviewJson.ts';
import { nextLinkTo, positionIn, tokenOf } from '../overview/overviewParams.ts';
import { customer, linkOf } from './customerCall.ts';
import { customerPlanRoute } from './plan.ts';
import { customerWhatIfRoute } from './whatIf.ts';

/** A position names its owner, and must be one that this owner's list returned. @throws Refusal InvalidParameter */
function ownPosition(request: HttpRequest, owner: string): IndexPosition | undefined {
  const position = positionIn(request);
  if (position === undefined || position.owner === owner) return position;
  throw new Refusal('InvalidParameter', '$skipToken is not one that a nextLink carried.', { target: '$skipToken' });
}

const keysPerPage = 50;
const accountsPerPage = 20;
const waitSeconds = 0;

const seconds = (ms: number): number => Math.round(ms / 1000);

const keys: RouteHandler = async (call) => {
  const { request, service } = call;
  const { owner } = linkOf(call);
  const { policy } = service;
  const page = await listKeys({ owner }, keysPerPage, ownPosition(request, owner), service);
  const bounds = {
    disabledSeconds: seconds(blockBoundMs('KeyDisabled', policy)),
    deletedSeconds: seconds(blockBoundMs('KeyNotFound', policy)),
    permissionRemovedSeconds: seconds(blockBoundMs('KeyPermissionDenied', policy)),
    releasedSeconds: seconds(releaseBoundMs(policy)),
  };
  const next = nextLinkTo(request, page.next && tokenOf(page.next));
  return { status: 200, jsonBody: { owner, bounds, value: page.keys.map(renderListedKey), ...next } };
};

const receipts: RouteHandler = async (call) => {
  const { request, service } = call;
  const { owner } = linkOf(call);
  const page = await listIndexedAccounts({ owner }, accountsPerPage, ownPosition(request, owner), service);
  const found: { account: string; accountId: string; sequence: number; receipt: string }[] = [];
  for (const { account } of page.accounts)
    for (const receipt of await revocationReceipts(account.name, account.instanceId, service))
      found.push({ account: account.name, ...receipt });
  const next = nextLinkTo(request, page.next && tokenOf(page.next));
  return { status: 200, jsonBody: { value: found, keys: await service.statusKeys.ever(), ...next } };
};

const example = 'https://contoso-keys.vault.azure.net/keys/media';
const keyIdentifier = z
  .string()
  .min(1)
  .max(300)
  .meta({ examples: [example] });
const dryRunBody = z.strictObject({ keyIdentifier, location: orAbsent(z.string().min(1).max(90)) }).meta({
  id: 'CustomerDryRun',
  description:
    "Keyward uses the identity of this key, or else that of the link, of the owner's other keys, or its own. Without location, regions are not compared.",
  examples: [{ keyIdentifier: example, location: 'westeurope' }],
});

const dryRun: RouteHandler = async (call) => {
  const { request, service } = call;
  const input = parsed(dryRunBody, await readJson(request));
  const link = linkOf(call);
  const key = parseKeyIdentifier(input.keyIdentifier, service.cloud);
  await service.overview.settled();
  const { identity } = await identityFor(key, link, service);
  const validated = { keyIdentifier: input.keyIdentifier, identity, owner: link.owner };
  const located = input.location === undefined ? validated : { ...validated, location: input.location };
  return { status: 200, jsonBody: await validateKeyOf(located, waitSeconds, service) };
};

const skip = { $skipToken: z.string().optional().meta({ description: 'Of the nextLink of a page.' }) };
const nextLink = z.string().optional().meta({ format: 'uri', description: 'Absent on the last page.' });
const bounds = z.strictObject({
  disabledSeconds: count.meta({ description: 'A version is disabled: all its accounts are blocked within this time.' }),
  deletedSeconds: count,
  permissionRemovedSeconds: count,
  releasedSeconds: count.meta({ description: 'No process and no client holds a usable key after this time.' }),
});
const keysAnswer = z.strictObject({ owner, bounds, value: z.array(overviewKey), nextLink }).meta({
  id: 'CustomerKeys',
  description: "The keys of the link's owner. Bounds count from the vault's first refusal.",
  examples: [
    {
      owner: 'contoso',
      bounds: { disabledSeconds: 96, deletedSeconds: 126, permissionRemovedSeconds: 156, releasedSeconds: 370 },
      value: [overviewKeyExample],
    },
  ],
});
const receipt = receiptsAnswer.shape.receipts.element.extend({ account: z.string() });
const receiptList = z.strictObject({ value: z.array(receipt), keys: receiptsAnswer.shape.keys, nextLink }).meta({
  id: 'CustomerReceipts',
  description: "The signed receipts of revocations, by account of the link's owner.",
  examples: [{ value: [], keys: [] }],
});

export const customerRoutes: readonly Route[] = [
  {
    ...customer,
    name: 'customerKeys',
    method: 'GET',
    path: 'customer/keys',
    handler: keys,
    contract: { summary: "Lists the keys of the link's owner", query: skip, answers: { 200: keysAnswer } },
  },
  {
    ...customer,
    name: 'customerReceipts',
    method: 'GET',
    path: 'customer/receipts',
    handler: receipts,
    contract: {
      summary: "Lists the signed receipts of revocations of the link's owner",
      query: skip,
      answers: { 200: receiptList },
    },
  },
  {
    ...customer,
    name: 'customerDryRun',
    method: 'POST',
    path: 'customer/dryRun',
    handler: dryRun,
    contract: {
      summary: "Checks a key of the link's owner against its vault",
      body: dryRunBody,
      answers: { 200: validationAnswer },
    },
  },
  customerPlanRoute,
  customerWhatIfRoute,
];
