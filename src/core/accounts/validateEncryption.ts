/**
 * The dry run of a change of key: the same facts and checks as PUT and PATCH. It returns every check, and changes,
 * stores and claims nothing. It wraps random bytes instead of the account key. It says nothing about the account's
 * current key, which a change must also open.
 */

import { wipe } from '../base/bytes.ts';
import { Refusal } from '../base/errors.ts';
import { type CustomerKeyInput, checkFacts, factsOf, type Owned } from '../customerKey/acceptCustomerKey.ts';
import type { KeyFacts } from '../customerKey/validationChecks.ts';
import { type Check, isValid } from '../customerKey/validationReport.ts';
import { proveWrap } from './accountKey.ts';
import type { AccountsDeps } from './deps.ts';
import { type AccountInput, ownedOf, type Permissions, refuseChange } from './planChange.ts';
import { findAccount } from './readAccount.ts';

export interface Validation {
  readonly valid: boolean;
  /** In the order of `checkNames`; none for the system key. */
  readonly checks: readonly Check[];
}

export const maxWaitSeconds = 60;
const retryEveryMs = 5_000;

/**
 * `waitSeconds`: how long to repeat the check, every 5 s, while a grant may be on its way. @throws Refusal as PUT and
 * PATCH do, except for the key
 */
export async function validateEncryption(
  name: string,
  input: AccountInput,
  waitSeconds: number,
  deps: AccountsDeps,
  permissions: Pick<Permissions, 'owners'> = {},
): Promise<Validation> {
  const { encryption } = input;
  if (encryption === undefined)
    throw new Refusal('InvalidRequestContent', "A dry run needs 'properties.encryption'.", {
      target: 'properties.encryption',
    });
  const current = await findAccount(name, deps);
  if (current !== undefined) refuseChange(current.record, input);
  const account = current?.record ?? ownedOf(input, permissions);
  if (encryption.type === 'SystemKey') return { valid: true, checks: [] };
  return validateKey(encryption, account, waitSeconds, deps);
}

export async function validateKey(
  input: CustomerKeyInput,
  account: Owned,
  waitSeconds: number,
  deps: AccountsDeps,
): Promise<Validation> {
  const end = deps.clock.now() + waitSeconds * 1000;
  for (;;) {
    const checks = await runChecks(input, account, deps);
    if (!isOnItsWay(checks) || deps.clock.now() + retryEveryMs > end) return { valid: isValid(checks), checks };
    await deps.pause(retryEveryMs);
  }
}

/** Role assignments take up to 10 minutes (Azure RBAC docs, "Troubleshoot"), and look like no grant until then. */
const isOnItsWay = (checks: readonly Check[]): boolean => checks.some(({ cause }) => cause === 'KeyPermissionDenied');

async function runChecks(input: CustomerKeyInput, account: Owned, deps: AccountsDeps): Promise<readonly Check[]> {
  return checkFacts(await tryUnwrap(await factsOf(input, account, deps), deps), account, deps);
}

/**
 * The facts, and the vault's answer to an unwrap: of Keyward's own wrap, or of random bytes where the key could not be
 * read.
 */
async function tryUnwrap(facts: KeyFacts, deps: AccountsDeps): Promise<KeyFacts> {
  const { identifier, binding, described } = facts;
  if (identifier instanceof Refusal || binding === undefined || described === undefined) return facts;
  if (!described.ok) {
    if (described.cause !== 'KeyPermissionDenied' || identifier.version === undefined) return facts;
    const probe = await deps.keyVault.unwrap(binding, identifier.version, deps.random.bytes(256));
    if (probe.ok) wipe(probe.value);
    return { ...facts, probe };
  }
  if (!described.value.keyType.startsWith('RSA')) return facts;
  const payload = deps.random.bytes(32);
  try {
    return { ...facts, proof: await proveWrap(payload, binding, described.value, deps) };
  } finally {
    wipe(payload);
  }
}
