/**
 * Revocations that could be missed, in virtual time: with the largest number of versions of one key. A revocation counts as missed for
 * each account that is not blocked within the published bound of its cause.
 */
import { stateOf } from '../../src/core/accounts/account.ts';
import { type Lab, startLab } from '../../src/local/lab/lab.ts';
import { appPrincipalId } from '../../src/local/operator.ts';
import type { Bench } from '../report.ts';
import { keyPool } from '../seed.ts';

/** docs/states-and-bounds.md, "Bounds", in ms. */
const revocations = {
  disabled: { withinMs: 96_000, revoke: setEnabled(false), giveBack: setEnabled(true) },
  deleted: {
    withinMs: 126_000,
    revoke: (lab: Lab, vault: string) => lab.keyVault('DELETE', `/vaults/${vault}/keys/cmk`),
    giveBack: (lab: Lab, vault: string) => lab.keyVault('POST', `/vaults/${vault}/keys/cmk/recover`),
  },
  'grant removed': {
    withinMs: 156_000,
    revoke: (lab: Lab, vault: string) => lab.keyVault('DELETE', `/vaults/${vault}/grants/${appPrincipalId}`),
    giveBack: (lab: Lab, vault: string) =>
      lab.keyVault('PUT', `/vaults/${vault}/grants/${appPrincipalId}`, { permissions: 'cryptoServiceEncryptionUser' }),
  },
} as const;

function setEnabled(enabled: boolean) {
  return async (lab: Lab, vault: string) => {
    const { versions } = await versionsOf(lab, vault);
    for (const { key } of versions)
      await lab.keyVault('PATCH', `/vaults/${vault}/keys/cmk/${key.kid.split('/').at(-1)}`, { enabled });
  };
}

const versionsOf = (lab: Lab, vault: string) =>
  lab.keyVault<{ versions: { key: { kid: string } }[] }>('GET', `/vaults/${vault}/keys/cmk`);

/** docs/storage.md, "Limits". */
const limit = 100;

async function atVersionLimit(lab: Lab, progress: (text: string) => void): Promise<number> {
  const vault = 'limit';
  await lab.vaultWithKey(vault);
  for (let n = 1; n < limit; n++)
    await lab.keyVault('POST', `/vaults/${vault}/keys/cmk`, { kty: 'RSA', size: 2048, fixture: n % 8 });
  const { versions } = await versionsOf(lab, vault);
  const names = versions.map((_, n) => `limit-${n}`);
  for (const [n, name] of names.entries()) await lab.account(name, 'limit', versions[n]?.key.kid);
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

const missed: Bench = async (report) => {
  const lab = await startLab({ keyPool });
  try {
    const progress = (text: string) => report.progress(`missed: ${text}`);
    report.figure('missed.atVersionLimit', await atVersionLimit(lab, progress), 'accounts', { exactly: 0 });
  } finally {
    await lab.stop();
  }
};

export default missed;
