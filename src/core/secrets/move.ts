/**
 * Bringing an account's secrets under its newest key, and destroying the older ones after that.
 *
 *   moving    passes over all secrets until one meets none under an older key, and `olderKeyWaitMs` are over
 *   retiring  a pass that began after the record says so meets none: the older keys go, in one conditional write
 *
 * Why nothing is lost: a writer reads the record after its save (write.ts). If it does not read `retiring` there, its save came
 * before, so the pass of the second phase meets it. If it does, it seals anew by itself. A pass that is held up between
 * sealing and saving loses by the row's etag. A pass may stop anywhere: the record says that there is one to do.
 */
import pLimit from 'p-limit';
import type { AccountView, ActiveAccount, OlderAccountKeys } from '../account.ts';
import { stateOf } from '../account.ts';
import { findAccount } from '../accounts/read.ts';
import { saveAccount, storedOf } from '../accounts/write.ts';
import { base64, wipe } from '../bytes.ts';
import { LostRace, Unavailable } from '../errors.ts';
import { fold } from '../names.ts';
import type { MoveWork, StoredSecret } from '../ports.ts';
import { olderKeyWaitMs } from '../rings/times.ts';
import type { Service } from '../service.ts';
import { protectSecret } from './crypt.ts';
import { alarm } from './entries.ts';
import { headerOf, openRows, placeOf } from './opening.ts';

const rowsAPage = 100;
const pagesAMessage = 5;
const savesAtOnce = 10;
const keyward = { kind: 'keyward', id: 'secrets' } as const;

/** Begins the pass again for an account that still has an older key: a wake-up may have been lost. */
export async function wakeMove(record: ActiveAccount, service: Pick<Service, 'dailyQueue'>): Promise<void> {
  if (record.olderAccountKeys !== undefined)
    await service.dailyQueue.send(start(fold(record.name), record.olderAccountKeys));
}

export interface Next {
  readonly work: MoveWork;
  readonly delayMs: number;
}

/** One message of a pass. What is next, or undefined: all done, or left to the daily pass. */
export async function moveSecrets(asked: MoveWork, service: Service): Promise<Next | undefined> {
  const view = await findAccount(asked.account, service);
  const older = view?.record.olderAccountKeys;
  if (view === undefined || older === undefined || stateOf(view) !== 'Enabled') return undefined;
  // A message of an earlier phase has seen nothing of this one.
  const work = asked.since === older.since ? asked : start(asked.account, older);
  try {
    return await pass(view, older, work, service);
  } catch (error) {
    if (error instanceof LostRace) return { work, delayMs: 0 };
    if (!(error instanceof Unavailable) || error.code !== 'CustomerKeyUnreachable') throw error;
    service.log.warn('Secrets were not moved: the account key could not be opened', { account: work.account });
    return undefined;
  }
}

const start = (account: string, { since }: OlderAccountKeys): MoveWork => ({
  visit: 'secrets',
  account,
  since,
  found: 0,
});

async function pass(
  view: AccountView,
  older: OlderAccountKeys,
  work: MoveWork,
  service: Service,
): Promise<Next | undefined> {
  let { after, found = 0 } = work;
  let stuck = 0;
  for (let pages = 0; pages < pagesAMessage; pages++) {
    const page = await service.secrets.page(work.account, {
      limit: rowsAPage,
      ...(after === undefined ? {} : { after }),
    });
    const behind = page.rows.filter((row) => headerOf(row)?.generation !== view.record.accountKeyGeneration);
    found += behind.length;
    stuck += await moveRows(view, behind, service);
    after = page.next;
    if (after === undefined) break;
  }
  service.log.info('Moved secrets under the newest account key', { account: work.account, found, stuck });
  if (after !== undefined) return { work: { ...work, after, found }, delayMs: 0 };
  if (found > 0) return stuck > 0 ? undefined : { work: start(work.account, older), delayMs: 0 };
  return nothingFound(view, older, service);
}

/** How many could not be moved. */
async function moveRows(view: AccountView, rows: readonly StoredSecret[], service: Service): Promise<number> {
  const opened = await openRows(view, rows, service);
  const { atRest } = await service.rings();
  const generation = view.record.accountKeyGeneration;
  const sealed = await service.leases.withAccountKey(view, (accountKey) =>
    opened.map(({ row, plain }) => {
      if (plain === undefined) return undefined;
      const place = { ...placeOf(view.record, row.ref), generation };
      return base64(protectSecret(plain, place, accountKey, atRest, service.random));
    }),
  );
  wipe(...opened.map(({ plain }) => plain));
  const limit = pLimit(savesAtOnce);
  const saves = opened.map(({ row }, n) => ({ row, bytes: sealed[n] }));
  // A row that has changed meanwhile is met by the next pass.
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
  await alarm(
    view,
    still.map(({ ref }) => ref),
    service,
  );
  return still.length;
}

/** A row that somebody moved or wrote between our reads is none to be alarmed about. */
async function stillBehind(refs: readonly StoredSecret['ref'][], view: AccountView, service: Service) {
  const rows = (await Promise.all(refs.map((ref) => service.secrets.read(ref)))).filter((row) => row !== undefined);
  return (await openRows(view, rows, service)).flatMap(({ row, plain }) => {
    wipe(plain);
    return plain === undefined ? [row] : [];
  });
}

async function nothingFound(view: AccountView, older: OlderAccountKeys, service: Service): Promise<Next | undefined> {
  const now = service.clock.now();
  const account = fold(view.record.name);
  const { olderAccountKeys: _destroyed, ...without } = view.record;
  const generations = older.keys.map((one) => one.generation).join(', ');
  if (older.phase === 'retiring') {
    const destroyed = { type: 'OlderAccountKeysDestroyed', actor: keyward, before: generations } as const;
    await saveAccount(storedOf(view), without, [destroyed], service);
    return undefined;
  }
  const waitMs = older.since + olderKeyWaitMs - now;
  if (waitMs > 0) return { work: start(account, older), delayMs: waitMs };
  const retiring: OlderAccountKeys = { ...older, phase: 'retiring', since: Math.max(now, older.since + 1) };
  const entry = { type: 'OlderAccountKeysRetiring', actor: keyward, before: generations } as const;
  await saveAccount(storedOf(view), { ...without, olderAccountKeys: retiring }, [entry], service);
  return { work: start(account, retiring), delayMs: 0 };
}
