/**
 * Encrypts an account's secrets under its newest key, and then destroys the older keys.
 *
 *   moving    passes over all secrets, until one finds no secret under an older key and `olderKeyWaitMs` have passed
 *   retiring  a pass that began after the record says so finds none: one conditional write destroys the older keys
 *
 * Why no secret is lost: a writer saves only beside a record with the account key that it used (writeSecret.ts), so the
 * pass, which comes after the change of that record, finds its secret. A pass that is delayed between encrypting and
 * saving fails on the row's ETag. A pass may stop anywhere: the record says that there is one to do, and how far it has
 * come.
 */

import pLimit from 'p-limit';
import type { AccountView, ActiveAccount, OlderAccountKeys } from '../accounts/account.ts';
import { stateOf } from '../accounts/account.ts';
import type { RekeyWork } from '../accounts/ports.ts';
import { findAccount } from '../accounts/readAccount.ts';
import { protectSecret } from '../accounts/secretLayers.ts';
import type { SecretRef, StoredSecret } from '../accounts/secretRow.ts';
import { saveAccount, saveWithSameEtag, storedOf } from '../accounts/writeAccount.ts';
import { base64, wipe } from '../base/bytes.ts';
import { defined } from '../base/defined.ts';
import { describeError, LostRace, retryLostRaces, Unavailable } from '../base/errors.ts';
import { fold } from '../base/names.ts';
import type { Stored } from '../base/stored.ts';
import { olderKeyWaitMs } from '../rings/durations.ts';
import type { SecretsDeps } from './deps.ts';
import { headerOf, openRows, secretAddressOf, wipeOnError } from './openStoredSecrets.ts';
import { alarm } from './secretAudit.ts';

const rowsPerPage = 100;
const pagesPerMessage = 5;
const rowsAtOnce = 10;
/** Rows that are only counted. */
const countedPerPage = 1000;
/** Before another pass, and after a pause that no progress ended: no loop runs without a pause, for any reason. */
const pauseMs = 60_000;
/** One day of pauses. Then the chain of messages ends, because the daily pass has started another. */
const maxPauses = 24 * 60;
const keyward = { kind: 'keyward', id: 'secrets' } as const;

export interface Next {
  readonly work: RekeyWork;
  readonly delayMs: number;
}

/**
 * Processes one message of a pass. The message is only a wake-up: the record says which pass there is, and how far it
 * has come (INV-15). Returns the next message, or undefined: all is done, or the daily pass takes over.
 */
export async function rekeySecrets(work: RekeyWork, deps: SecretsDeps): Promise<Next | undefined> {
  const view = await findAccount(work.account, deps);
  const older = view?.record.olderAccountKeys;
  if (view === undefined || older === undefined) return undefined;
  if (stateOf(view) !== 'Enabled') return retryLater(work);
  try {
    return await pass(view, older, work, deps);
  } catch (error) {
    const isStorage = error instanceof Unavailable && error.code === 'StorageUnavailable';
    if (isStorage || !(error instanceof LostRace || error instanceof Unavailable)) throw error;
    deps.log.warn('Secrets were not encrypted under the newest account key and are retried', {
      account: work.account,
      error: describeError(error),
    });
    return retryLater(work);
  }
}

function retryLater(work: RekeyWork): Next | undefined {
  const pauses = (work.pauses ?? 0) + 1;
  return pauses > maxPauses ? undefined : { work: { ...work, pauses }, delayMs: pauseMs };
}

async function pass(
  view: AccountView,
  older: OlderAccountKeys,
  work: RekeyWork,
  deps: SecretsDeps,
): Promise<Next | undefined> {
  let { after, found = 0, stuck = 0 }: Partial<NonNullable<OlderAccountKeys['pass']>> = older.pass ?? {};
  for (let pages = 0; pages < pagesPerMessage; pages++) {
    const page = await deps.secrets.page(work.account, { limit: rowsPerPage, ...defined({ after }) });
    const outdated = page.rows.filter((row) => isOutdated(row, view.record));
    found += outdated.length;
    stuck += await rekeyRows(view, outdated, deps);
    after = page.next;
    if (after === undefined) break;
  }
  deps.log.info('Encrypted secrets under the newest account key', { account: work.account, found, stuck });
  if (after !== undefined) {
    const isSaved = await saveProgress(view.record, older, { after, found, stuck }, deps);
    return isSaved ? { work, delayMs: 0 } : undefined;
  }
  if (found > 0) {
    if (older.pass !== undefined) await saveProgress(view.record, older, undefined, deps);
    // Rows that cannot be decrypted raise one alarm per pass, and the daily pass starts the next one.
    return stuck > 0 ? undefined : retryLater(work);
  }
  return nothingFound(view.record, older, work, deps);
}

const isOutdated = (row: StoredSecret, { accountKeyGeneration }: ActiveAccount): boolean =>
  headerOf(row)?.generation !== accountKeyGeneration;

/** The number of secrets that could not be encrypted again. */
async function rekeyRows(view: AccountView, rows: readonly StoredSecret[], deps: SecretsDeps): Promise<number> {
  const opened = await openRows(view, rows, deps);
  const generation = view.record.accountKeyGeneration;
  const sealed = await wipeOnError(opened, async () => {
    const { atRest } = await deps.rings();
    return deps.leases.withAccountKey(view, (accountKey) =>
      opened.map(({ row, plain }) => {
        if (plain === undefined) return undefined;
        const context = { ...secretAddressOf(view.record, row.ref), generation };
        return base64(protectSecret(plain, context, accountKey, atRest, deps.random));
      }),
    );
  });
  wipe(...opened.map(({ plain }) => plain));
  const limit = pLimit(rowsAtOnce);
  const saves = opened.map(({ row }, n) => ({ row, bytes: sealed[n] }));
  // The next pass finds a row that has changed in the meantime.
  await Promise.all(
    saves.flatMap(({ row, bytes }) =>
      bytes === undefined
        ? []
        : [limit(() => deps.secrets.replace(row.ref, { ...row.value, sealed: bytes }, row.etag))],
    ),
  );
  const broken = saves.filter(({ bytes }) => bytes === undefined).map(({ row }) => row.ref);
  const still = await findStillOutdated(broken, view, deps);
  if (still.length === 0) return 0;
  const now = await findAccount(view.record.name, deps);
  if (now?.record.accountKeyGeneration !== generation) throw new LostRace('The account key was rotated again.');
  await alarm(view, still, deps);
  return still.length;
}

/** A row that another writer changed between these reads is no reason for an alarm. */
async function findStillOutdated(
  refs: readonly SecretRef[],
  view: AccountView,
  deps: SecretsDeps,
): Promise<SecretRef[]> {
  const limit = pLimit(rowsAtOnce);
  const read = await Promise.all(refs.map((ref) => limit(() => deps.secrets.read(ref))));
  const rows = read.filter((row) => row !== undefined);
  return (await openRows(view, rows, deps)).flatMap(({ row, plain }) => {
    wipe(plain);
    return plain === undefined ? [row.ref] : [];
  });
}

async function nothingFound(
  record: ActiveAccount,
  older: OlderAccountKeys,
  work: RekeyWork,
  deps: SecretsDeps,
): Promise<Next | undefined> {
  const now = deps.clock.now();
  if (older.phase === 'retiring') {
    // Destroying is final, so it does not rest on the progress that earlier messages have stored.
    if (older.pass !== undefined && (await isAnyOutdated(record, deps))) {
      await saveProgress(record, older, undefined, deps);
      return retryLater(work);
    }
    await endPhase(record, older, 'OlderAccountKeysDestroyed', undefined, deps);
    return undefined;
  }
  const waitMs = older.since + olderKeyWaitMs - now;
  if (waitMs > 0) {
    if (older.pass !== undefined) await saveProgress(record, older, undefined, deps);
    return { work, delayMs: waitMs };
  }
  const retiring = { phase: 'retiring', since: Math.max(now, older.since + 1) } as const;
  const isOurs = await endPhase(record, older, 'OlderAccountKeysRetiring', retiring, deps);
  return isOurs ? { work, delayMs: 0 } : undefined;
}

async function isAnyOutdated(record: ActiveAccount, { secrets }: SecretsDeps): Promise<boolean> {
  for (let after: string | undefined; ; ) {
    const page = await secrets.page(fold(record.name), { limit: countedPerPage, ...defined({ after }) });
    if (page.rows.some((row) => isOutdated(row, record))) return true;
    if (page.next === undefined) return false;
    after = page.next;
  }
}

/** Undefined: the next message begins at the start. Returns false where there is another pass now. */
function saveProgress(
  record: ActiveAccount,
  older: OlderAccountKeys,
  progress: OlderAccountKeys['pass'],
  deps: SecretsDeps,
): Promise<boolean> {
  return onSamePass(record, older, deps, async (stored, { pass: _, ...current }) => {
    const next = { ...stored.value, olderAccountKeys: { ...current, ...defined({ pass: progress }) } };
    await saveWithSameEtag(stored, next, [], deps);
  });
}

/** Returns false where there is another pass now. */
function endPhase(
  record: ActiveAccount,
  older: OlderAccountKeys,
  type: 'OlderAccountKeysRetiring' | 'OlderAccountKeysDestroyed',
  next: Pick<OlderAccountKeys, 'phase' | 'since'> | undefined,
  deps: SecretsDeps,
): Promise<boolean> {
  const before = older.keys.map(({ generation }) => generation).join(', ');
  return onSamePass(record, older, deps, async (stored, { pass: _, ...current }) => {
    const { olderAccountKeys: __, ...without } = stored.value;
    const after = next === undefined ? without : { ...without, olderAccountKeys: { ...current, ...next } };
    await saveAccount(stored, after, [{ type, actor: keyward, before }], deps);
  });
}

/**
 * Works on the record as it is now: another change of it since the pass began is no conflict. Nothing is done where the
 * account key was rotated again, or the phase has ended: then there is another pass.
 */
function onSamePass(
  { name, instanceId, accountKeyGeneration }: ActiveAccount,
  { since }: OlderAccountKeys,
  deps: SecretsDeps,
  save: (stored: Stored<ActiveAccount>, older: OlderAccountKeys) => Promise<void>,
): Promise<boolean> {
  return retryLostRaces(async () => {
    const now = await findAccount(name, deps);
    if (now?.record.instanceId !== instanceId || now.record.accountKeyGeneration !== accountKeyGeneration) return false;
    const { olderAccountKeys: older } = now.record;
    if (older?.since !== since) return false;
    await save(storedOf(now), older);
    return true;
  });
}
