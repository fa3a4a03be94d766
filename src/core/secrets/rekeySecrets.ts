/**
 * Encrypts an account's secrets under its newest key, and then destroys the older keys.
 *
 *   moving    passes over all secrets, until one finds no secret under an older key and `olderKeyWaitMs` have passed
 *   retiring  a pass that began after the record says so finds none: one conditional write destroys the older keys
 *
 * Why no secret is lost: a writer reads the record after its save (writeSecret.ts). If it does not read `retiring`, its
 * save came before, so the pass of the second phase finds its secret. If it does, it encrypts the secret again. A pass
 * that is delayed between encrypting and saving fails on the row's ETag. A pass may stop anywhere: the record says that
 * there is one to do.
 */

import pLimit from 'p-limit';
import type { AccountView, ActiveAccount, OlderAccountKeys } from '../accounts/account.ts';
import { stateOf } from '../accounts/account.ts';
import type { RekeyWork } from '../accounts/ports.ts';
import { findAccount } from '../accounts/readAccount.ts';
import { protectSecret } from '../accounts/secretLayers.ts';
import type { SecretRef, StoredSecret } from '../accounts/secretRow.ts';
import { saveAccount, storedOf } from '../accounts/writeAccount.ts';
import { base64, wipe } from '../base/bytes.ts';
import { defined } from '../base/defined.ts';
import { describeError, LostRace, retryLostRaces, Unavailable } from '../base/errors.ts';
import { olderKeyWaitMs } from '../rings/durations.ts';
import type { SecretsDeps } from './deps.ts';
import { headerOf, openRows, secretAddressOf, wipeOnError } from './openStoredSecrets.ts';
import { alarm } from './secretAudit.ts';

const rowsAPage = 100;
const pagesAMessage = 5;
const rowsAtOnce = 10;
/** Before another pass, and after a pause that no progress ended: no loop runs without a pause, whatever the reason. */
const pauseMs = 60_000;
/** One day of pauses. Then the chain of messages ends, because the daily pass has started another. */
const maxPauses = 24 * 60;
const keyward = { kind: 'keyward', id: 'secrets' } as const;

export interface Next {
  readonly work: RekeyWork;
  readonly delayMs: number;
}

/**
 * Processes one message of a pass. Returns the next message, or undefined: all is done, or the daily pass takes over.
 */
export async function rekeySecrets(asked: RekeyWork, service: SecretsDeps): Promise<Next | undefined> {
  const view = await findAccount(asked.account, service);
  const older = view?.record.olderAccountKeys;
  if (view === undefined || older === undefined) return undefined;
  // A message of an earlier phase knows nothing of this one.
  const work = asked.since === older.since ? asked : start(asked.account, older);
  if (stateOf(view) !== 'Enabled') return paused(work);
  try {
    return await pass(view, older, work, service);
  } catch (error) {
    const isStorage = error instanceof Unavailable && error.code === 'StorageUnavailable';
    if (isStorage || !(error instanceof LostRace || error instanceof Unavailable)) throw error;
    service.log.warn('Secrets were not encrypted under the newest account key and are retried', {
      account: work.account,
      error: describeError(error),
    });
    return paused(work);
  }
}

const start = (account: string, { since }: OlderAccountKeys, pauses = 0): RekeyWork => ({
  visit: 'secrets',
  account,
  since,
  found: 0,
  stuck: 0,
  pauses,
});

function paused(work: RekeyWork): Next | undefined {
  const pauses = (work.pauses ?? 0) + 1;
  return pauses > maxPauses ? undefined : { work: { ...work, pauses }, delayMs: pauseMs };
}

async function pass(
  view: AccountView,
  older: OlderAccountKeys,
  work: RekeyWork,
  service: SecretsDeps,
): Promise<Next | undefined> {
  let { after, found = 0, stuck = 0 } = work;
  for (let pages = 0; pages < pagesAMessage; pages++) {
    const page = await service.secrets.page(work.account, {
      limit: rowsAPage,
      ...defined({ after }),
    });
    const behind = page.rows.filter((row) => headerOf(row)?.generation !== view.record.accountKeyGeneration);
    found += behind.length;
    stuck += await moveRows(view, behind, service);
    after = page.next;
    if (after === undefined) break;
  }
  service.log.info('Encrypted secrets under the newest account key', { account: work.account, found, stuck });
  if (after !== undefined) return { work: { ...work, after, found, stuck }, delayMs: 0 };
  // Rows that cannot be decrypted raise one alarm per pass, and the daily pass starts the next one.
  if (stuck > 0) return undefined;
  if (found > 0) return paused(start(work.account, older, work.pauses));
  return nothingFound(view.record, older, work, service);
}

/** The number of secrets that could not be encrypted again. */
async function moveRows(view: AccountView, rows: readonly StoredSecret[], service: SecretsDeps): Promise<number> {
  const opened = await openRows(view, rows, service);
  const generation = view.record.accountKeyGeneration;
  const sealed = await wipeOnError(opened, async () => {
    const { atRest } = await service.rings();
    return service.leases.withAccountKey(view, (accountKey) =>
      opened.map(({ row, plain }) => {
        if (plain === undefined) return undefined;
        const context = { ...secretAddressOf(view.record, row.ref), generation };
        return base64(protectSecret(plain, context, accountKey, atRest, service.random));
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
        : [limit(() => service.secrets.replace(row.ref, { ...row.value, sealed: bytes }, row.etag))],
    ),
  );
  const broken = saves.filter(({ bytes }) => bytes === undefined).map(({ row }) => row.ref);
  const still = await stillBehind(broken, view, service);
  if (still.length === 0) return 0;
  const now = await findAccount(view.record.name, service);
  if (now?.record.accountKeyGeneration !== generation) throw new LostRace('The account key was rotated again.');
  await alarm(view, still, service);
  return still.length;
}

/** A row that another writer changed between these reads is no reason for an alarm. */
async function stillBehind(refs: readonly SecretRef[], view: AccountView, service: SecretsDeps): Promise<SecretRef[]> {
  const limit = pLimit(rowsAtOnce);
  const read = await Promise.all(refs.map((ref) => limit(() => service.secrets.read(ref))));
  const rows = read.filter((row) => row !== undefined);
  return (await openRows(view, rows, service)).flatMap(({ row, plain }) => {
    wipe(plain);
    return plain === undefined ? [row.ref] : [];
  });
}

async function nothingFound(
  record: ActiveAccount,
  older: OlderAccountKeys,
  work: RekeyWork,
  service: SecretsDeps,
): Promise<Next | undefined> {
  const now = service.clock.now();
  const { account, pauses } = work;
  if (older.phase === 'retiring') {
    await endPhase(record, older, 'OlderAccountKeysDestroyed', undefined, service);
    return undefined;
  }
  const waitMs = older.since + olderKeyWaitMs - now;
  if (waitMs > 0) return { work: start(account, older, pauses), delayMs: waitMs };
  const retiring = { phase: 'retiring', since: Math.max(now, older.since + 1) } as const;
  const isOurs = await endPhase(record, older, 'OlderAccountKeysRetiring', retiring, service);
  return isOurs ? { work: start(account, { ...older, ...retiring }), delayMs: 0 } : undefined;
}

/**
 * Works on the record as it is now: another change of it since the pass began is no conflict. Nothing is done where the
 * account key was rotated again, or the phase has ended: then there is another pass.
 */
function endPhase(
  { name, instanceId, accountKeyGeneration }: ActiveAccount,
  { since, keys }: OlderAccountKeys,
  type: 'OlderAccountKeysRetiring' | 'OlderAccountKeysDestroyed',
  next: Pick<OlderAccountKeys, 'phase' | 'since'> | undefined,
  service: SecretsDeps,
): Promise<boolean> {
  const before = keys.map(({ generation }) => generation).join(', ');
  return retryLostRaces(async () => {
    const now = await findAccount(name, service);
    if (now?.record.instanceId !== instanceId || now.record.accountKeyGeneration !== accountKeyGeneration) return false;
    const { olderAccountKeys: older, ...without } = now.record;
    if (older?.since !== since) return false;
    const record = next === undefined ? without : { ...without, olderAccountKeys: { ...older, ...next } };
    await saveAccount(storedOf(now), record, [{ type, actor: keyward, before }], service);
    return true;
  });
}
