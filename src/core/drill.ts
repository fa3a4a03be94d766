/**
 * The revocation drill proves the published bounds in production. An operator-owned canary key is disabled, and the
 * time until Keyward refuses a reveal of the canary account is measured. Then the key is enabled, and the time until
 * the reveal works again is measured. A drill that dies leaves a disabled canary key, and the next drill enables it
 * first.
 */
import { putAccount } from './accounts/putAccount.ts';
import { findAccount } from './accounts/readAccount.ts';
import { wipe } from './base/bytes.ts';
import { defined } from './base/defined.ts';
import { describeError, KeywardError, Refusal, Unavailable } from './base/errors.ts';
import { measure } from './base/metrics.ts';
import type { Policy } from './base/policy.ts';
import type { Stored } from './base/stored.ts';
import type { EpochMs } from './base/time.ts';
import { versionlessIdentifier } from './customerKey/keyIdentifier.ts';
import type { Answer, KeyRef } from './customerKey/ports.ts';
import type { SecretsDeps } from './secrets/deps.ts';
import { accountToServe, refOf } from './secrets/readSecret.ts';
import { revealOne } from './secrets/revealSecret.ts';
import { putSecret } from './secrets/writeSecret.ts';
import { blockBoundMs, queueMs } from './watch/blockBound.ts';

export interface DrillResult {
  readonly at: EpochMs;
  /** `missed`: a bound was exceeded. `failed`: the drill could not be made. */
  readonly outcome: 'met' | 'missed' | 'failed';
  readonly refusedMs?: number;
  readonly restoredMs?: number;
  /** Of a failed drill. */
  readonly error?: string;
}

/** The results of the last drills, the newest first. */
export interface DrillStore {
  read(): Promise<Stored<readonly DrillResult[]> | undefined>;
  /** False: another writer was faster. */
  write(results: readonly DrillResult[], etag?: string): Promise<boolean>;
}

/** Enables and disables the canary key. The app's identity has no such right on any other key. */
export interface CanaryKeys {
  setEnabled(key: KeyRef, version: string, isEnabled: boolean): Promise<Answer<true>>;
}

export interface DrillDeps extends SecretsDeps {
  readonly drills: DrillStore;
  readonly canaryKeys: CanaryKeys;
  /** Absent: no drill is made. */
  readonly canaryKey?: KeyRef;
}

export const canaryAccount = 'keyward-drill';
const owner = 'keyward-drill';
const actor = { kind: 'keyward', id: 'drill' } as const;
const secret = refOf(canaryAccount, 'tokenKeys', 'canary');
const pollMs = 1_000;
const maxResults = 48;
/** The published bounds of KeyDisabled: docs/states-and-bounds.md. */
export const drillBounds = (policy: Policy): { readonly refusedMs: number; readonly restoredMs: number } => ({
  refusedMs: blockBoundMs('KeyDisabled', policy),
  restoredMs: (policy.lookIntervalInaccessibleSeconds + policy.lookDeadlineSeconds) * 1000 + queueMs,
});

/** Never throws: a drill that cannot be made is a result too. */
export async function runDrill(deps: DrillDeps): Promise<DrillResult | undefined> {
  const { canaryKey, log, clock } = deps;
  if (canaryKey === undefined) return undefined;
  const at = clock.now();
  const result = await measureDrill(canaryKey, deps).then(
    (measured) => ({ at, ...measured }),
    (error: unknown): DrillResult => ({ at, outcome: 'failed', error: reasonOf(error) }),
  );
  const { outcome, refusedMs, restoredMs, error } = result;
  const about = defined({ refusedMs, restoredMs, error });
  if (outcome === 'failed') log.error('The revocation drill could not be made', about);
  else if (outcome === 'missed') log.error('The revocation drill missed a published bound', about);
  else log.info('The revocation drill met the published bounds', about);
  const stored = await deps.drills.read();
  await deps.drills.write([result, ...(stored?.value ?? [])].slice(0, maxResults), stored?.etag);
  return result;
}

/** With the message of Keyward's own errors: every account, key and vault of a drill belongs to the operator. */
const reasonOf = (error: unknown): string =>
  error instanceof KeywardError ? `${describeError(error)}: ${error.message}` : describeError(error);

type Measured = Omit<DrillResult, 'at'>;

async function measureDrill(key: KeyRef, deps: DrillDeps): Promise<Measured> {
  const { policy, log, canaryKeys } = deps;
  const bounds = drillBounds(policy);
  const version = await canaryVersion(key, deps);
  const setEnabled = async (isEnabled: boolean) => {
    const answer = await canaryKeys.setEnabled(key, version, isEnabled);
    if (!answer.ok)
      throw new Unavailable('CustomerKeyUnreachable', `The canary key was not changed (${answer.cause}).`, 60);
  };
  // The longest wait is twice the bound: a drill that measures more shows no more.
  await setEnabled(true);
  const ready = await until('served', 2 * bounds.refusedMs, deps);
  if (ready === undefined) throw new Unavailable('CustomerKeyUnreachable', 'The canary account is not served.', 60);
  let refusedMs: number | undefined;
  try {
    await setEnabled(false);
    refusedMs = await until('refused', 2 * bounds.refusedMs, deps);
  } finally {
    await setEnabled(true);
  }
  const restoredMs = await until('served', 2 * bounds.restoredMs + 2 * bounds.refusedMs, deps);
  if (refusedMs !== undefined) measure(log, 'keyward.drill.refused.ms', refusedMs, {});
  if (restoredMs !== undefined) measure(log, 'keyward.drill.restored.ms', restoredMs, {});
  const isMet =
    refusedMs !== undefined &&
    restoredMs !== undefined &&
    refusedMs <= bounds.refusedMs &&
    restoredMs <= bounds.restoredMs;
  return { outcome: isMet ? 'met' : 'missed', ...defined({ refusedMs, restoredMs }) };
}

/** The version that wraps the canary account's key. Creates the account with the first drill. */
async function canaryVersion(key: KeyRef, deps: DrillDeps): Promise<string> {
  const known = await findAccount(canaryAccount, deps);
  const view = known ?? (await createCanary(key, deps));
  const { encryption } = view.record;
  if (encryption.type === 'CustomerKey' && encryption.binding.vaultHost === key.vaultHost) return encryption.version;
  throw new Refusal('Conflict', `The account ${canaryAccount} is not under the canary key. Delete it.`);
}

async function createCanary(key: KeyRef, deps: DrillDeps) {
  const described = await deps.keyVault.describe(key);
  if (!described.ok)
    throw new Unavailable('CustomerKeyUnreachable', `The canary key was not read (${described.cause}).`, 60);
  const keyIdentifier = versionlessIdentifier(key);
  const encryption = { type: 'CustomerKey', keyIdentifier, identity: key.identity } as const;
  const location = described.value.region ?? 'global';
  const input = { owner, location, encryption };
  const { view } = await putAccount({ name: canaryAccount, input, actor }, deps);
  await putSecret(secret, { name: secret.name, value: { given: deps.random.bytes(32) } }, {}, deps);
  return view;
}

/** How long until a reveal has this outcome; undefined: it has not within the time. */
async function until(wanted: 'served' | 'refused', withinMs: number, deps: DrillDeps): Promise<number | undefined> {
  const began = deps.clock.monotonic();
  for (;;) {
    const isReached = (await outcomeOfGate(deps)) === wanted && (await outcomeOfReveal(deps)) === wanted;
    const passed = deps.clock.monotonic() - began;
    if (isReached) return Math.round(passed);
    if (passed > withinMs) return undefined;
    await deps.pause(pollMs);
  }
}

type Outcome = 'served' | 'refused' | 'unavailable';

/** The gate of each call, which writes no audit entry. */
const outcomeOfGate = (deps: DrillDeps): Promise<Outcome> => outcomeOf(() => accountToServe(canaryAccount, deps));

const outcomeOfReveal = (deps: DrillDeps): Promise<Outcome> =>
  outcomeOf(async () => wipe((await revealOne(secret, 'SecretsRevealed', { actor }, deps)).plain));

async function outcomeOf(call: () => Promise<unknown>): Promise<Outcome> {
  try {
    await call();
    return 'served';
  } catch (error) {
    if (!(error instanceof KeywardError)) throw error;
    return error.code === 'CustomerKeyInaccessible' ? 'refused' : 'unavailable';
  }
}
