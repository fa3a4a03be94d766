/**
 * The operator's calls that read and verify audit chains: the chain of an account, of a key's binding, and the
 * service's own. The chain of a deleted account stays readable. `?accountId=` selects one of several accounts that had
 * the same name.
 */

import type { HttpRequest } from '@azure/functions';
import {
  accountChain,
  bindingChain,
  type Chain,
  instancesOf,
  ownChain,
  readChain,
} from '../../../core/audit/chains.ts';
import { verifyChain } from '../../../core/audit/verifyChain.ts';
import { defined } from '../../../core/base/defined.ts';
import { Refusal } from '../../../core/base/errors.ts';
import { isGuid } from '../../../core/base/names.ts';
import { optionalIso } from '../../../core/base/time.ts';
import { parseKeyIdentifier, versionlessIdentifier } from '../../../core/customerKey/keyIdentifier.ts';
import { watchesOf } from '../../../core/rotation/usage.ts';
import type { Service } from '../../../core/service.ts';
import type { RouteHandler } from '../../pipeline/call.ts';
import { callUrl } from '../../pipeline/links.ts';
import { parsed, readJson } from '../../pipeline/requestBody.ts';
import { pageSizeOf } from '../../pipeline/requestParams.ts';
import type { Route } from '../../pipeline/route.ts';
import { queryOf } from '../keys/keys.ts';
import { auditContracts, bindingIdPattern, entryOf, verificationBody } from './auditContract.ts';
import { renderBrokenLink } from './brokenChainJson.ts';

type Find = (request: HttpRequest, service: Service) => Promise<Chain>;

const ofAccount: Find = (request, service) =>
  accountChain(request.params.accountName ?? '', accountIdIn(request), service);
const ofBinding: Find = async (request, service) => bindingChain(bindingIdIn(request), service);
const ofService: Find = async (_, service) => ownChain(service);

/** @throws Refusal InvalidParameter */
export function accountIdIn(request: HttpRequest): string | undefined {
  const id = request.query.get('accountId')?.toLowerCase();
  if (id === undefined || isGuid(id)) return id;
  throw new Refusal('InvalidParameter', "accountId must be the account's properties.accountId, a GUID.", {
    target: 'accountId',
  });
}

function bindingIdIn(request: HttpRequest): string {
  const id = request.params.bindingId ?? '';
  if (bindingIdPattern.test(id)) return id;
  throw new Refusal(
    'InvalidParameter',
    'A binding id must have 32 hexadecimal digits. GET operator/bindings lists them.',
    {
      target: 'bindingId',
    },
  );
}

/** The row key of an entry, which is a position in the chain. */
const entryToken = /^\d.{0,511}$/u;

export function requestedPage(request: HttpRequest, isToken: (token: string) => boolean) {
  const limit = pageSizeOf(request);
  const after = request.query.get('$skipToken');
  if (after === null) return { limit };
  if (isToken(after)) return { limit, after };
  throw new Refusal('InvalidParameter', '$skipToken must come from a nextLink of this list.', { target: '$skipToken' });
}

export function linkTo(request: HttpRequest, next: string | undefined, more: Readonly<Record<string, string>> = {}) {
  if (next === undefined) return {};
  const query = new URLSearchParams({ ...more, $top: String(pageSizeOf(request)), $skipToken: next });
  return { nextLink: callUrl(request, `${new URL(request.url).pathname}?${query}`) };
}

const read =
  (find: Find): RouteHandler =>
  async ({ request, service }) => {
    const wanted = requestedPage(request, (token) => entryToken.test(token));
    const chain = await find(request, service);
    const { rows, next } = await readChain(chain, wanted);
    // The next pages read the same account, even when a new account has taken its name.
    const same = find === ofAccount ? { accountId: chain.id } : {};
    const value = rows.map(({ position, entry }) => entryOf(position, entry));
    return { status: 200, jsonBody: { value, ...linkTo(request, next, same) } };
  };

const verify =
  (find: Find): RouteHandler =>
  async ({ request, service }) => {
    const input = parsed(verificationBody, await readJson(request));
    const chain = await find(request, service);
    const { broken, ...found } = await verifyChain(chain, input, service);
    // The head of the service's chain has more, which belongs to the rings.
    const { sequence, hash } = found.head;
    const seen = { ...found, head: { sequence, hash } };
    const { id, account } = chain;
    const link = broken === undefined ? {} : { broken: renderBrokenLink({ chain: id, account, ...broken }) };
    return { status: 200, jsonBody: { chain: id, ...seen, ...link } };
  };

const instances: RouteHandler = async ({ request, service }) => {
  const wanted = requestedPage(request, isGuid);
  const page = await instancesOf(request.params.accountName ?? '', wanted, service);
  const value = page.instances.map(({ instanceId, owner, audit, deletedAt, erasedAt }) => ({
    accountId: instanceId,
    owner,
    head: audit,
    ...defined({ deletedAt: optionalIso(deletedAt), erasedAt: optionalIso(erasedAt) }),
  }));
  return { status: 200, jsonBody: { value, ...linkTo(request, page.next) } };
};

const bindings: RouteHandler = async ({ request, service }) => {
  const watches = await watchesOf(parseKeyIdentifier(queryOf(request, 'keyIdentifier'), service.cloud), service);
  const value = watches.map(({ binding, audit }) => ({
    bindingId: binding.id,
    key: versionlessIdentifier(binding),
    tenantId: binding.tenantId,
    identity: binding.identity,
    head: audit,
  }));
  return { status: 200, jsonBody: { value } };
};

const operator = { scope: 'operator', role: 'Audit.Read' } as const;
const reading = { ...operator, method: 'GET' } as const;
const verifying = { ...operator, method: 'POST' } as const;
const account = 'operator/accounts/{accountName}';
const binding = 'operator/bindings/{bindingId}';

export const auditRoutes: readonly Route[] = [
  {
    ...reading,
    name: 'operatorAccountAudit',
    path: `${account}/audit`,
    contract: auditContracts.account,
    handler: read(ofAccount),
  },
  {
    ...verifying,
    name: 'operatorAccountAuditVerify',
    path: `${account}/audit/verify`,
    contract: auditContracts.verifyAccount,
    handler: verify(ofAccount),
  },
  {
    ...reading,
    name: 'operatorAccountInstances',
    path: `${account}/instances`,
    contract: auditContracts.instances,
    handler: instances,
  },
  {
    ...reading,
    name: 'operatorBindings',
    path: 'operator/bindings',
    contract: auditContracts.bindings,
    handler: bindings,
  },
  {
    ...reading,
    name: 'operatorBindingAudit',
    path: `${binding}/audit`,
    contract: auditContracts.binding,
    handler: read(ofBinding),
  },
  {
    ...verifying,
    name: 'operatorBindingAuditVerify',
    path: `${binding}/audit/verify`,
    contract: auditContracts.verifyBinding,
    handler: verify(ofBinding),
  },
  {
    ...reading,
    name: 'operatorAudit',
    path: 'operator/audit',
    contract: auditContracts.service,
    handler: read(ofService),
  },
  {
    ...verifying,
    name: 'operatorAuditVerify',
    path: 'operator/audit/verify',
    contract: auditContracts.verifyService,
    handler: verify(ofService),
  },
];
