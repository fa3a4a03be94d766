/** What proves the audit outside of Keyward: the result of the daily verification, signed checkpoints and receipts. */

import type { BrokenChain } from '../../../core/attestation/ports.ts';
import { revocationReceipts } from '../../../core/attestation/revocationReceipt.ts';
import { serviceChain } from '../../../core/audit/serviceAudit.ts';
import { unlessDamaged } from '../../../core/base/damagedRow.ts';
import { iso } from '../../../core/base/time.ts';
import { versionlessIdentifier } from '../../../core/customerKey/keyIdentifier.ts';
import type { Service } from '../../../core/service.ts';
import type { RouteHandler } from '../../pipeline/call.ts';
import type { Route } from '../../pipeline/route.ts';
import { attestationContracts } from './attestationContract.ts';
import { accountIdIn, linkTo, requestedPage } from './audit.ts';
import { renderBrokenLink } from './brokenChainJson.ts';

const checkpointToken = /^\d{15}:\d{8}$/;

const state: RouteHandler = async ({ service }) => {
  const { last, run } = (await service.verifications.read())?.value ?? {};
  const named = (chains: readonly BrokenChain[]) => Promise.all(chains.map((one) => renderBroken(one, service)));
  return {
    status: 200,
    jsonBody: {
      ...(last && { last: { ...last, ...timesOf(last), broken: await named(last.broken) } }),
      ...(run && {
        running: {
          startedAt: iso(run.startedAt),
          chains: run.chains,
          brokenCount: run.brokenCount,
          broken: await named(run.broken),
        },
      }),
    },
  };
};

/** The chain of a key has its binding's id, so its watch says which key that is. */
async function renderBroken(one: BrokenChain, { bindings }: Service) {
  const { chain, account } = one;
  const stored = account === undefined && chain !== serviceChain && (await unlessDamaged(bindings.readWatch(chain)));
  const key = stored && stored !== 'damaged' ? { key: versionlessIdentifier(stored.value.binding) } : {};
  return { chain, ...key, ...renderBrokenLink(one) };
}

const timesOf = ({ startedAt, finishedAt }: { readonly startedAt: number; readonly finishedAt: number }) => ({
  startedAt: iso(startedAt),
  finishedAt: iso(finishedAt),
});

const checkpoints: RouteHandler = async ({ request, service }) => {
  const { limit, after } = requestedPage(request, (token) => checkpointToken.test(token));
  const { rows, next } = await service.verifications.checkpoints(limit, after);
  const value = rows.map(({ run, ...row }) => ({ run: iso(run), ...row }));
  return { status: 200, jsonBody: { value, ...linkTo(request, next) } };
};

const receipts: RouteHandler = async ({ request, service }) => {
  const found = await revocationReceipts(request.params.accountName ?? '', accountIdIn(request), service);
  return { status: 200, jsonBody: { receipts: found, keys: await service.statusKeys.ever() } };
};

const jwks: RouteHandler = async ({ service }) => ({
  status: 200,
  headers: { 'Cache-Control': 'public, max-age=60' },
  jsonBody: { keys: await service.statusKeys.ever() },
});

const reading = { scope: 'operator', role: 'Audit.Read', method: 'GET' } as const;

export const attestationRoutes: readonly Route[] = [
  {
    ...reading,
    name: 'operatorAuditVerification',
    path: 'operator/audit/verification',
    contract: attestationContracts.state,
    handler: state,
  },
  {
    ...reading,
    name: 'operatorAuditCheckpoints',
    path: 'operator/audit/checkpoints',
    contract: attestationContracts.checkpoints,
    handler: checkpoints,
  },
  {
    ...reading,
    name: 'operatorRevocationReceipts',
    path: 'operator/accounts/{accountName}/revocationReceipts',
    contract: attestationContracts.receipts,
    handler: receipts,
  },
  {
    method: 'GET',
    name: 'auditJwks',
    path: 'audit/jwks',
    scope: 'public',
    role: 'Audit.Read',
    contract: attestationContracts.jwks,
    handler: jwks,
  },
];
