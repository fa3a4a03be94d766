/** Receipts of revocations, as a customer verifies them with nothing but the saved answer. */
import { execFile } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { revocationReceipts } from '../../src/core/attestation/revocationReceipt.ts';
import { verifyText } from '../../tools/verifyReceipt.ts';
import { useLab } from '../lab.ts';

const world = useLab();
const minute = 60_000;
const verifyReceipt = (...args: string[]) =>
  promisify(execFile)(process.execPath, [join(import.meta.dirname, '../../tools/verifyReceipt.ts'), ...args]);

async function revoked(name: string): Promise<number> {
  const { lab } = world;
  await lab.account(name, name, await lab.vaultWithKey(`${name}-keys`));
  await lab.advance(2 * minute);
  const at = lab.clock.now();
  await lab.keyVault('PATCH', `/vaults/${name}-keys/keys/cmk`, { enabled: false });
  await lab.advance(5 * minute);
  return at;
}

test('a confirmed revocation has a signed receipt with first refusal, verdict, last use, end of the last lease and request ids', async () => {
  const { lab } = world;
  const at = await revoked('acme');
  const { instanceId } = (await lab.view('acme')).record;
  const [one, ...more] = await revocationReceipts('acme', undefined, lab.service);
  expect(more).toEqual([]);
  const { typ, claims } = await verifyText(one?.receipt ?? '', await lab.service.statusKeys.ever());
  expect(typ).toBe('keyward-revocation-receipt');
  expect(claims).toMatchObject({
    account: 'acme',
    accountId: instanceId,
    key: expect.stringMatching(/^https:\/\/acme-keys\.vault\.azure\.net\/keys\/cmk\/[0-9a-f]{32}$/),
    cause: 'KeyDisabled',
    entry: { chain: instanceId },
  });
  const time = (name: string) => Date.parse(String(claims[name]));
  expect(time('lastUsedAt')).toBeLessThanOrEqual(at);
  expect(time('firstRefusedAt')).toBeGreaterThanOrEqual(at);
  // KeyDisabled: confirmed by a second look, at least 10 s later.
  expect(time('confirmedAt') - time('firstRefusedAt')).toBeGreaterThanOrEqual(10_000);
  expect(time('keyReleasedBy')).toBe(time('firstRefusedAt') + 300_000);
  const ids = claims.keyVaultRequestIds as string[];
  expect(ids).toHaveLength(2);
  expect(new Set(ids).size).toBe(2);
});

test('an account whose key was never revoked has no receipt', async () => {
  await world.lab.account('beside', 'beside');
  expect(await revocationReceipts('beside', undefined, world.lab.service)).toEqual([]);
});

test('npm run verify-receipt accepts a saved answer, and rejects an edited one with exit code 1', async () => {
  const { lab } = world;
  await revoked('offline');
  const receipts = await revocationReceipts('offline', undefined, lab.service);
  const folder = mkdtempSync(join(tmpdir(), 'keyward-receipt-'));
  const file = join(folder, 'receipts.json');
  writeFileSync(file, JSON.stringify({ receipts, keys: await lab.service.statusKeys.ever() }));
  expect((await verifyReceipt(file)).stdout).toMatch(/^valid: keyward-revocation-receipt/);

  const [header, payload = '', signature] = (receipts[0]?.receipt ?? '').split('.');
  const claims = Buffer.from(payload, 'base64url').toString().replace('"KeyDisabled"', '"KeyNotFound"');
  const edited = `${header}.${Buffer.from(claims).toString('base64url')}.${signature}`;
  writeFileSync(file, JSON.stringify({ receipts: [{ receipt: edited }], keys: await lab.service.statusKeys.ever() }));
  await expect(verifyReceipt(file)).rejects.toMatchObject({ code: 1, stderr: expect.stringMatching(/^not valid/) });
});
