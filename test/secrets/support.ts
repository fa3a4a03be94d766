/** The parts that tests of secrets share, on a laboratory's real tables: short ways to write, read and reveal. */
import { putAccount } from '../../src/core/accounts/putAccount.ts';
import type { SecretRow } from '../../src/core/accounts/secretRow.ts';
import type { AuditEntry } from '../../src/core/audit/auditEntry.ts';
import { type Bytes, bytesOf, hex } from '../../src/core/base/bytes.ts';
import type { Stored } from '../../src/core/base/stored.ts';
import type { SecretKind } from '../../src/core/base/vocabulary.ts';
import { refOf } from '../../src/core/secrets/readSecret.ts';
import { rekeySecrets } from '../../src/core/secrets/rekeySecrets.ts';
import { revealOne } from '../../src/core/secrets/revealSecret.ts';
import { putSecret } from '../../src/core/secrets/writeSecret.ts';
import type { Service } from '../../src/core/service.ts';
import { accountEntries } from '../../src/local/entries.ts';
import { type Lab, tester } from '../../src/local/lab/lab.ts';
import { location } from '../../src/local/operator.ts';

export const keyId = (n: number): string => `9d5d2b1e-6c1f-4f0a-8c53-${String(n).padStart(12, '0')}`;
export const bytes = (text: string): Bytes => bytesOf(Buffer.from(text));

export function put(service: Service, account: string, kind: SecretKind, name: string, plain: Bytes, ifMatch?: string) {
  const conditions = ifMatch === undefined ? {} : { ifMatch };
  return putSecret(refOf(account, kind, name), { name, value: { given: plain } }, conditions, service);
}

/** The plain bytes in hex. */
export async function reveal(service: Service, account: string, kind: SecretKind, name: string): Promise<string> {
  const { plain } = await revealOne(refOf(account, kind, name), 'SecretsRevealed', { actor: tester }, service);
  return hex(plain);
}

export async function auditOf(lab: Lab, account: string): Promise<AuditEntry[]> {
  const { record } = await lab.view(account);
  return accountEntries(account, record.instanceId, lab.service);
}

export async function row(
  service: Service,
  account: string,
  kind: SecretKind,
  name: string,
): Promise<Stored<SecretRow>> {
  const found = await service.secrets.read(refOf(account, kind, name));
  if (found === undefined) throw new Error('There is no such row.');
  return found;
}

/** The messages of one account's pass, until none is left. Time passes by their delays. */
export async function moveAll(lab: Lab, account: string, service = lab.service): Promise<void> {
  let next = await rekeySecrets({ visit: 'secrets', account }, service);
  while (next !== undefined) {
    lab.clock.set(lab.clock.now() + next.delayMs);
    next = await rekeySecrets(next.work, service);
  }
}

export const audited = (lab: Lab, name: string) =>
  putAccount({ name, input: { owner: 'contoso', location, auditKeyUse: true }, actor: tester }, lab.service);
