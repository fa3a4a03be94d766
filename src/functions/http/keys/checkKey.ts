/** `POST /api/operator/looks`: checks a key now, by account or by key identifier, and returns the result. */
import { defined } from '../../../core/base/defined.ts';
import { iso } from '../../../core/base/time.ts';
import { versionlessIdentifier } from '../../../core/customerKey/keyIdentifier.ts';
import type { Service } from '../../../core/service.ts';
import { type LookTarget, lookNow } from '../../../core/vaultWork/lookNow.ts';
import { currentStatus } from '../../../core/watch/verdictTimes.ts';
import type { Watch } from '../../../core/watch/watch.ts';
import type { RouteHandler } from '../../pipeline/call.ts';
import { parsed, readJson } from '../../pipeline/requestBody.ts';
import { renderCause } from '../accounts/causeJson.ts';
import { accountOrKey } from './keyContract.ts';

export const lookNowRoute: RouteHandler = async ({ request, service }) => {
  const target: LookTarget = parsed(accountOrKey, await readJson(request));
  return {
    status: 200,
    jsonBody: { value: (await lookNow(target, service)).map((watch) => renderWatch(watch, service)) },
  };
};

function renderWatch(
  { binding, versions, nextLookAt, calledAs }: Watch,
  { clock, policy }: Pick<Service, 'clock' | 'policy'>,
) {
  return {
    key: versionlessIdentifier(binding),
    identity: { ...binding.identity, ...calledAs },
    nextLookAt: iso(nextLookAt),
    versions: Object.entries(versions).map(([version, verdict]) => ({
      version,
      status: currentStatus(verdict, clock.now(), policy),
      since: iso(verdict.since),
      lookedAt: iso(verdict.evidenceAt),
      lastAccessibleAt: iso(verdict.lastAccessibleAt),
      ...(verdict.cause === undefined
        ? {}
        : renderCause(verdict.cause, {
            ...binding,
            version,
            isControlLookFailed: verdict.deniedAs !== undefined,
            ...defined({ principalId: calledAs?.principalId, clientAddress: verdict.clientAddress }),
          })),
    })),
  };
}
