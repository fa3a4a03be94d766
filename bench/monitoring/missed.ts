/**
 * Revocations that could be missed, in virtual time: with the largest number of versions of one key, with every kind of
 * damaged row, and with a wrong clock on one of two hosts. A revocation counts as missed for each account that is not
 * blocked within its published bound.
 */
import { stateOf } from '../../src/core/accounts/account.ts';
import { type Lab, startLab } from '../../src/local/lab/lab.ts';
import { underWrongClock, wrongClocks } from '../../src/local/matrix/clockMatrix.ts';
import { damages } from '../../src/local/matrix/damage.ts';
import { allCells, missedWithDamage, missedWithSharedDamage } from '../../src/local/matrix/damageMatrix.ts';
import { revocations, versionsOf } from '../../src/local/matrix/revocations.ts';
import type { Bench } from '../report.ts';
import { keyPool } from '../seed.ts';

/** docs/storage.md, "Limits". */
const limit = 100;

async function atVersionLimit(lab: Lab, progress: (text: string) => void): Promise<number> {
  const vault = 'limit';
  await lab.vaultWithKey(vault);
  for (let n = 1; n < limit; n++)
    await lab.keyVault('POST', `/vaults/${vault}/keys/cmk`, { kty: 'RSA', size: 2048, fixture: n % 8 });
  const versions = await versionsOf(lab, vault);
  const names = versions.map((_, n) => `limit-${n}`);
  for (const [n, name] of names.entries()) await lab.account(name, 'limit', versions[n]);
  let missed = 0;
  for (const [what, { withinMs, revoke, giveBack }] of Object.entries(revocations)) {
    await lab.advance(120_000);
    await revoke(lab, vault);
    await lab.advance(withinMs);
    const views = await Promise.all(names.map((name) => lab.view(name)));
    const served = views.filter((view) => stateOf(view) === 'Enabled').length;
    if (served > 0) progress(`${what} at ${limit} versions: ${served} accounts are not blocked`);
    missed += served;
    await giveBack(lab, vault);
  }
  return missed;
}

async function rowDamage(progress: (text: string) => void): Promise<number> {
  const cells = allCells();
  const missed: string[] = [];
  await inLab(async (lab) => {
    missed.push(...(await missedWithDamage(lab, cells)));
    progress(`damaged rows: ${cells.length} cells`);
    for (const how of Object.keys(damages)) missed.push(...(await missedWithSharedDamage(lab, how)));
  });
  for (const what of missed) progress(what);
  return missed.length;
}

async function inLab<Result>(use: (lab: Lab) => Promise<Result>): Promise<Result> {
  const lab = await startLab({ keyPool });
  try {
    return await use(lab);
  } finally {
    await lab.stop();
  }
}

const missed: Bench = async (report) => {
  const progress = (text: string) => report.progress(`missed: ${text}`);
  const none = (name: string, value: number) => report.figure(name, value, 'accounts', { exactly: 0 });
  const clocks = { missed: [] as string[], wrong: [] as string[] };
  for (const clock of Object.keys(wrongClocks)) {
    const outcome = await inLab((lab) => underWrongClock(lab, clock));
    clocks.missed.push(...outcome.missed);
    clocks.wrong.push(...outcome.wrong);
  }
  for (const what of clocks.missed) progress(`missed: ${what}`);
  for (const what of clocks.wrong) progress(`wrongly blocked: ${what}`);
  none('missed.clockMatrix', clocks.missed.length);
  none('wrong.clockMatrix', clocks.wrong.length);
  none('missed.rowDamageMatrix', await rowDamage(progress));
  none('missed.atVersionLimit', await inLab((lab) => atVersionLimit(lab, progress)));
};

export default missed;
