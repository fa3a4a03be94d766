/** What proves the audit outside of Keyward: the result of the daily verification, signed checkpoints and receipts. */
import { revocationReceipts } from '../../../core/attestation/revocationReceipt.ts';
import { flaws } from '../../../core/audit/chainCheck.ts';
import { iso } from '../../../core/base/time.ts';
import type { RouteHandler } from '../../pipeline/call.ts';
import type { Route } from '../../pipeline/route.ts';
import { attestationContracts } from './attestationContract.ts';
import { accountIdIn, linkTo, requestedPage } from './audit.ts';

const checkpointToken = /^\d{15}:\d{8}$/;

const state: RouteHandler = async ({ service }) => {
  const { last, run } = (await service.verifications.read())?.value ?? {};
  const named = last?.broken.map((one) => ({ ...one, meaning: flaws[one.flaw] }));
  return {
    status: 200,
    jsonBody: {
      ...(last && { last: { ...last, ...timesOf(last), broken: named } }),
      ...(run && {
        running: { startedAt: iso(run.startedAt), chains: run.chains, brokenCount: run.brokenCount },
      }),
    },
  };
};

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
