/**
 * Puts one account and its secrets under the newest KEKs. Both layers belong to the service, so no account key is
 * opened and no call leaves for a customer's vault. It works also while the customer key is inaccessible.
 */

import pLimit from 'p-limit';
import { type ActiveAccount, wrappedByOf } from '../accounts/account.ts';
import { keyContextOf } from '../accounts/accountKey.ts';
import { resealGenerations } from '../accounts/dataKeyGenerations.ts';
import { resealOlderKeys, resealOuter } from '../accounts/secretLayers.ts';
import type { StoredSecret } from '../accounts/secretRow.ts';
import { saveWithSameEtag } from '../accounts/writeAccount.ts';
import { base64, fromBase64, wipe } from '../base/bytes.ts';
import { defined } from '../base/defined.ts';
import type { Random } from '../base/effects.ts';
import { retryLostRaces } from '../base/errors.ts';
import type { Stored } from '../base/stored.ts';
import type { RingName } from '../base/vocabulary.ts';
import {
  atRestGeneration,
  type Inner,
  type KeyContext,
  KeyMaterialMismatch,
  openAtRest,
  openBySystemRing,
  sealAtRest,
  sealBySystemRing,
} from '../crypto/accountKeyEnvelope.ts';
import { parseSecret } from '../crypto/secretEnvelope.ts';
import type { Rings } from '../rings/ring.ts';
import type { RingRotation } from '../rings/storedRing.ts';
import { secretAddressOf, storedBytes } from '../secrets/openStoredSecrets.ts';
import { alarm } from '../secrets/secretAudit.ts';
import type { ResealDeps } from './deps.ts';

export interface PageResult {
  /** Rows under an older generation, and rows whose generation cannot be read. */
  found: number;
  moved: number;
  /** Those of the found rows that do not open. */
  stuck: number;
}

/**
 * Re-seals everything that the ring protects in one account. It logs rows that do not open and leaves them unchanged.
 * @throws Unavailable | DamagedRow
 */
export async function processAccount(
  name: string,
  ring: RingName,
  rotation: Pick<RingRotation, 'phase' | 'to'>,
  deps: ResealDeps,
): Promise<PageResult> {
  const visited: PageResult = { found: 0, moved: 0, stuck: 0 };
  const account = await resealRecord(name, ring, rotation, visited, deps);
  if (account !== undefined && ring === 'at-rest') await resealSecrets(name, account, visited, deps);
  return visited;
}

/** The account as it was read; undefined when there is none. @throws DamagedRow */
async function resealRecord(
  name: string,
  ring: RingName,
  { phase, to }: Pick<RingRotation, 'phase' | 'to'>,
  visited: PageResult,
  deps: ResealDeps,
): Promise<Stored<ActiveAccount> | undefined> {
  return retryLostRaces(async () => {
    const stored = await deps.accounts.read(name);
    if (stored?.value.lifecycle !== 'active') return undefined;
    const account = { value: stored.value, etag: stored.etag };
    try {
      const keys = resealLayers(account.value, await deps.rings(), deps.random);
      const isNoted = phase !== 'retiring' || account.value.keksFrom?.[ring] === to;
      if (keys === undefined && isNoted) return account;
      const keksFrom = isNoted ? {} : { keksFrom: { ...account.value.keksFrom, [ring]: to } };
      const entry = { type: 'AccountKeyResealed', actor: { kind: 'keyward', id: 'rings' } } as const;
      const entries = keys === undefined ? [] : [entry];
      await saveWithSameEtag(account, { ...account.value, ...keys, ...keksFrom }, entries, deps);
      if (keys === undefined) return account;
      visited.found += 1;
      visited.moved += 1;
    } catch (error) {
      if (!(error instanceof KeyMaterialMismatch)) throw error;
      visited.found += 1;
      visited.stuck += 1;
      deps.log.error('An account key does not match its record', { account: name });
    }
    return account;
  });
}

/**
 * Both layers under the newest KEKs; undefined when they already have these or newer ones. @throws KeyMaterialMismatch
 */
function resealLayers(
  record: ActiveAccount,
  { system, atRest }: Rings,
  random: Random,
): Pick<ActiveAccount, 'wrappedAccountKey' | 'olderAccountKeys' | 'dataKeyGenerations'> | undefined {
  const stored = fromBase64(record.wrappedAccountKey);
  const context = keyContextOf(record);
  const wrappedBy = wrappedByOf(record.encryption);
  const generation = atRestGeneration(stored);
  const before = openAtRest(stored, context, wrappedBy, atRest.kek(generation));
  const inner = underNewest(before, context, system, random);
  const older = resealOlderKeys(record, atRest, random);
  const areOlderUnchanged = older?.keys.every(({ sealed }, n) => sealed === record.olderAccountKeys?.keys[n]?.sealed);
  const dataKeys = resealGenerations(record, { atRest, random });
  const areDataKeysUnchanged = dataKeys?.every(({ sealed }, n) => sealed === record.dataKeyGenerations?.[n]?.sealed);
  const areUnchanged = areOlderUnchanged !== false && areDataKeysUnchanged !== false;
  if (inner === before && generation >= atRest.newest.generation && areUnchanged) return undefined;
  const sealed = sealAtRest(inner, context, wrappedBy, atRest.newest, random.bytes(12));
  return {
    wrappedAccountKey: base64(sealed),
    ...defined({ olderAccountKeys: older, dataKeyGenerations: dataKeys }),
  };
}

function underNewest(inner: Inner, context: KeyContext, system: Rings['system'], random: Random): Inner {
  if (inner.by === 'CustomerKey' || inner.ringGeneration >= system.newest.generation) return inner;
  const payload = openBySystemRing(inner, context, system.kek(inner.ringGeneration));
  try {
    return sealBySystemRing(payload, context, system.newest, random.bytes(12));
  } finally {
    wipe(payload);
  }
}

const rowsPerPage = 200;
const rowsAtOnce = 10;

async function resealSecrets(
  name: string,
  account: Stored<ActiveAccount>,
  visited: PageResult,
  deps: ResealDeps,
): Promise<void> {
  const limit = pLimit(rowsAtOnce);
  for (let after: string | undefined, isLast = false; !isLast; ) {
    const page = await deps.secrets.page(name, { limit: rowsPerPage, ...defined({ after }) });
    const { atRest } = await deps.rings();
    const broken: StoredSecret[] = [];
    const saves = page.rows.map((row) =>
      limit(async () => {
        const moved = await resealSecret(row, account.value, atRest, deps);
        if (moved === 'newest') return;
        visited.found += 1;
        if (moved === 'moved') visited.moved += 1;
        if (moved === 'broken') broken.push(row);
      }),
    );
    await Promise.all(saves);
    if (broken.length > 0) visited.stuck += await alarmUnchanged(broken, account, deps);
    after = page.next;
    isLast = after === undefined;
  }
}

/** `lost`: another writer has changed it since; the next round processes it again. */
async function resealSecret(
  row: StoredSecret,
  record: ActiveAccount,
  atRest: Rings['atRest'],
  { secrets, random }: Pick<ResealDeps, 'secrets' | 'random'>,
): Promise<'newest' | 'moved' | 'lost' | 'broken'> {
  try {
    const stored = storedBytes(row);
    const { generation } = parseSecret(stored);
    const moved = resealOuter(stored, { ...secretAddressOf(record, row.ref), generation }, atRest, random);
    if (moved === undefined) return 'newest';
    const saved = await secrets.replace(row.ref, { ...row.value, sealed: base64(moved) }, row.etag);
    return saved === undefined ? 'lost' : 'moved';
  } catch (error) {
    if (error instanceof KeyMaterialMismatch) return 'broken';
    throw error;
  }
}

/** How many failed rows are unchanged, in an unchanged account. The others are another writer's current work. */
async function alarmUnchanged(
  rows: readonly StoredSecret[],
  account: Stored<ActiveAccount>,
  deps: ResealDeps,
): Promise<number> {
  const now = await deps.accounts.read(account.value.name);
  if (now?.value.instanceId !== account.value.instanceId) return 0;
  const limit = pLimit(rowsAtOnce);
  const again = await Promise.all(rows.map(({ ref }) => limit(() => deps.secrets.read(ref))));
  const still = rows.filter(({ etag }, n) => again[n]?.etag === etag).map(({ ref }) => ref);
  if (still.length > 0) await alarm({ record: account.value, etag: account.etag }, still, deps);
  return still.length;
}
