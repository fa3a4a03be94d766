/**
 * Which refusals stand in the audit: a closed list, in docs/operations.md. Each route that has one names its own here; what a refusal
 * is about is read off the call.
 */
import type { HttpRequest } from '@azure/functions';
import * as z from 'zod';
import type { RefusedCall } from '../../core/accounts/processState.ts';
import { isCause } from '../../core/base/causes.ts';
import { describeError, Refusal } from '../../core/base/errors.ts';
import { inTime } from '../../core/base/inTime.ts';
import { parseAccountName } from '../../core/base/names.ts';
import { parseKeyIdentifier } from '../../core/customerKey/keyIdentifier.ts';
import type { Service } from '../../core/service.ts';
import type { Caller } from './authorize.ts';
import { readJson } from './requestBody.ts';
import type { Route } from './route.ts';
import { keyward, log } from './service.ts';

/** What was asked, or undefined: nothing sensitive. @throws Refusal where the call says nothing that can be read: the same */
export type AuditedRefusal = (
  refusal: Refusal,
  request: HttpRequest,
  service: Service,
) => Promise<RefusedCall | undefined>;

/** @throws Refusal InvalidParameter */
const accountIn = (request: HttpRequest): string => parseAccountName(request.params.accountName ?? '');

/** As much of a body as tells which key was asked for; either contract's. */
const keyWish = z.object({
  properties: z.object({
    encryption: z.object({ keyVaultProperties: z.object({ keyIdentifier: z.string() }).optional() }),
  }),
});

/** PUT and PATCH of an account, by either contract. */
export const keyChangeRefusal: AuditedRefusal = async ({ code, extras }, request, service) => {
  const account = accountIn(request);
  if (code === 'AuthorizationFailed')
    // The role that the route asks for has no target.
    return extras.target === undefined ? undefined : { asked: 'ReleaseToSystemKey', account };
  if (code !== 'OwnerMismatch' && code !== 'CustomerKeyInaccessible') return undefined;
  const input = keyWish.safeParse(await readJson(request));
  if (!input.success) return undefined;
  const { keyIdentifier } = input.data.properties.encryption.keyVaultProperties ?? {};
  const asked = code === 'OwnerMismatch' ? 'UseForeignKey' : 'ChangeKeyWhileInaccessible';
  return { asked, account, ...(keyIdentifier === undefined ? {} : keyIn(keyIdentifier, service)) };
};

/** Only what has passed as a key identifier stands in the audit. */
const keyIn = (identifier: string, { cloud }: Service): Pick<RefusedCall, 'key'> => ({
  key: parseKeyIdentifier(identifier, cloud).text,
});

/** Repair of the identity: whatever stood in its way, but for a call that says nothing. */
export const repairRefusal: AuditedRefusal = async ({ code }, request) =>
  code === 'AuthorizationFailed' || code === 'Conflict' || isCause(code)
    ? { asked: 'RepairIdentity', account: accountIn(request) }
    : undefined;

/** No refusal waits longer for its entry, and none fails with it. */
const auditWithinMs = 2_000;

export async function auditRefusal(
  refusal: Refusal,
  { auditedRefusal }: Route,
  request: HttpRequest,
  { actor }: Caller,
): Promise<void> {
  if (auditedRefusal === undefined) return;
  try {
    const service = await keyward();
    const call = await auditedRefusal(refusal, request, service);
    if (call === undefined) return;
    const telling = service.refusedCalls.tell(call, refusal.code, actor);
    const outcome = (await inTime(telling, service, auditWithinMs)) ?? 'late';
    if (outcome !== 'audited') log.warn('A refusal was not audited', { error: outcome, actor: actor.id });
  } catch (error) {
    if (!(error instanceof Refusal))
      log.warn('A refusal was not audited', { error: describeError(error), actor: actor.id });
  }
}
