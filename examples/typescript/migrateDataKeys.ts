/**
 * Brings data keys that a service already has under Keyward, in bulk, with progress. Stop it and start it again at any
 * time.
 *
 *     node examples/typescript/migrateDataKeys.ts keys.jsonl wrapped.jsonl
 *
 * keys.jsonl has one line for each key: {"id": "42", "account": "contoso", "plaintext": "<base64>", "context":
 * {"table": "patients"}}. wrapped.jsonl gets {"id": "42", "wrapped": "<base64>"}. A line is written when Keyward has
 * unwrapped what it wrapped to the same bytes: until then, keep the plain key. Settings: KEYWARD_ENDPOINT, and
 * KEYWARD_FUNCTION_KEY for a local Keyward, or else KEYWARD_SCOPE, `api://<client id of Keyward's
 * application>/.default`.
 */
import { timingSafeEqual } from 'node:crypto';
import { appendFile, readFile } from 'node:fs/promises';
import { type Item, KeywardClient } from '@keyward/client';

interface Line {
  readonly id: string;
  readonly account: string;
  readonly plaintext: string;
  readonly context?: Readonly<Record<string, string>>;
}

/** As many as one call takes. */
const atOnce = 100;

const { KEYWARD_ENDPOINT: endpoint = '', KEYWARD_FUNCTION_KEY: key, KEYWARD_SCOPE: scope = '' } = process.env;
const credential = key ? { key } : new (await import('@azure/identity')).ManagedIdentityCredential();
const { dataKeys } = new KeywardClient(endpoint, credential, { scope });
const [from = 'keys.jsonl', to = 'wrapped.jsonl'] = process.argv.slice(2);

const linesOf = async <T>(file: string): Promise<T[]> =>
  (await readFile(file, 'utf8').catch(() => ''))
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));

const done = new Set((await linesOf<{ id: string }>(to)).map(({ id }) => id));
const all = await linesOf<Line>(from);
const missing = all.filter(({ id }) => !done.has(id));
const left = Object.groupBy(missing, ({ account }) => account);
const began = performance.now();
let count = 0;
let failures = 0;

for (const [account, lines = []] of Object.entries(left)) {
  for (let at = 0; at < lines.length; at += atOnce) {
    await migrate(account, lines.slice(at, at + atOnce));
    const perSecond = Math.round(count / ((performance.now() - began) / 1000));
    console.log(
      `${all.length - missing.length + count} of ${all.length} keys, ${failures} failed, ${perSecond} a second`,
    );
  }
}
process.exitCode = failures > 0 ? 1 : 0;

/** One call wraps, one proves. A key that fails stops no other. */
async function migrate(account: string, lines: readonly Line[]): Promise<void> {
  const keys = lines.map(({ plaintext, context = {} }) => ({ plaintext: Buffer.from(plaintext, 'base64'), context }));
  const wrapped = await dataKeys.wrap(account, keys);
  const asked = keys.map(({ context }, n) => ({ wrapped: wrapped[n]?.ok ? wrapped[n].value : '', context }));
  const proofs = (await dataKeys.unwrap(account, asked)).keys;
  let text = '';
  for (const [n, { id }] of lines.entries()) {
    const [proof, plain] = [proofs[n], keys[n]?.plaintext ?? Buffer.alloc(0)];
    const isSame = proof?.ok === true && proof.value.length === plain.length && timingSafeEqual(proof.value, plain);
    if (isSame) text += `${JSON.stringify({ id, wrapped: asked[n]?.wrapped })}\n`;
    else console.error(`${id}: ${errorIn(wrapped[n]) ?? errorIn(proof) ?? 'the proof has other bytes'}`);
    if (isSame) count += 1;
    else failures += 1;
    plain.fill(0);
    if (proof?.ok) proof.value.fill(0);
  }
  await appendFile(to, text);
}

function errorIn(item: Item<unknown> | undefined): string | undefined {
  return item?.ok === false ? `${item.error.code} ${item.error.message}` : undefined;
}
