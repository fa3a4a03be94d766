/**
 * Which refusals Keyward writes to the audit: a closed list, documented in docs/audit.md. Each route names its own
 * function from this file. The function reads from the call which account and key the refusal is about.
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
import type { AuditedRefusal } from './call.ts';
import type { Caller } from './caller.ts';
import { readJson } from './requestBody.ts';
import type { Route } from './route.ts';
import { keyward, log } from './service.ts';

/** @throws Refusal InvalidParameter */
const accountIn = (request: HttpRequest): string => parseAccountName(request.params.accountName ?? '');

/** The part of either contract's body that names the requested key. */
const keyInput = z.object({
  properties: z.object({
    encryption: z.object({ keyVaultProperties: z.object({ keyIdentifier: z.string().nullish() }).nullish() }),
  }),
});

/** PUT and PATCH of an account, in either contract. */
export const keyChangeRefusal: AuditedRefusal = async ({ code, extras }, request, service) => {
  const account = accountIn(request);
  if (code === 'AuthorizationFailed')
    // A refusal for the role that the route itself requires has no target.
    return extras.target === undefined ? undefined : { asked: 'ReleaseToSystemKey', account };
  if (code !== 'OwnerMismatch' && code !== 'CustomerKeyInaccessible') return undefined;
  const input = keyInput.safeParse(await readJson(request));
  if (!input.success) return undefined;
  const { keyIdentifier } = input.data.properties.encryption.keyVaultProperties ?? {};
  const asked = code === 'OwnerMismatch' ? 'UseForeignKey' : 'ChangeKeyWhileInaccessible';
  return { asked, account, ...(keyIdentifier ? keyIn(keyIdentifier, service) : {}) };
};

/**
 * The audit holds only text that parses as a key identifier. @throws Refusal KeyIdentifierMalformed |
 * VaultHostNotAllowed
 */
const keyIn = (identifier: string, { cloud }: Service): Pick<RefusedCall, 'key'> => ({
  key: parseKeyIdentifier(identifier, cloud).text,
});

/** Repair of the identity: every refusal except that of a call that cannot be read. */
export const repairRefusal: AuditedRefusal = async ({ code }, request) =>
  code === 'AuthorizationFailed' || code === 'Conflict' || isCause(code)
    ? { asked: 'RepairIdentity', account: accountIn(request) }
    : undefined;

/** A refusal waits no longer than this for its audit entry, and never fails because of it. */
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
    const auditing = service.refusedCalls.audit(call, refusal.code, actor);
    const outcome = (await inTime(auditing, service, auditWithinMs)) ?? 'late';
    if (outcome !== 'audited') log.warn('A refusal was not audited', { error: outcome, actor: actor.id });
  } catch (error) {
    if (!(error instanceof Refusal))
      log.warn('A refusal was not audited', { error: describeError(error), actor: actor.id });
  }
}
