/**
 * What a backup holds, signed. `backup.json` has the hashes of every 100 rows of every file. `backup.sig` has a
 * signature of `backup.json` by a key of the operator, which never leaves its vault. A writer of the folder cannot make
 * one.
 */
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import * as z from 'zod';
import type { BackupKey } from './backupKey.ts';
import { fileOf, inGroups, savedLines, type TableName, tableNames } from './rows.ts';
import { CommandError } from './runCommand.ts';

/** A key signs backups only, so a signature needs no other mark than this. */
const format = 'keyward-backup/1';
const rowsInBlock = 100;

const table = z.strictObject({ rows: z.number().int().min(0), blocks: z.array(z.string()) });
const manifest = z.strictObject({
  format: z.literal(format),
  savedAt: z.iso.datetime(),
  tables: z.record(z.enum(tableNames), table),
});
export type Manifest = z.infer<typeof manifest>;
const signature = z.strictObject({ version: z.string(), signature: z.base64url() });

const manifestIn = (folder: string): string => join(folder, 'backup.json');
/** Written last: a folder without it holds no complete backup. */
export const signatureIn = (folder: string): string => join(folder, 'backup.sig');

/** Of the files as they are in the folder now. */
export async function writeManifest(folder: string, key: BackupKey): Promise<void> {
  const tables: Partial<Manifest['tables']> = {};
  for (const name of tableNames) tables[name] = await hashesOf(folder, name);
  const content = `${JSON.stringify({ format, savedAt: new Date().toISOString(), tables }, undefined, 1)}\n`;
  const signed = await key.sign(Buffer.from(content));
  await writeFile(manifestIn(folder), content, { mode: 0o600 });
  await writeFile(signatureIn(folder), `${JSON.stringify(signed)}\n`, { mode: 0o600 });
}

/** @throws CommandError when the folder holds no complete backup, or `backup.json` was edited */
export async function readManifest(folder: string, key: BackupKey): Promise<Manifest> {
  const [content, signed] = await Promise.all(
    [manifestIn(folder), signatureIn(folder)].map((path) => readFile(path).catch(() => undefined)),
  );
  if (content === undefined || signed === undefined)
    throw new CommandError(
      `${folder} holds no complete backup: ${content === undefined ? 'backup.json' : 'backup.sig'} is missing.`,
    );
  const parts = signature.safeParse(jsonIn(signed));
  if (!parts.success) throw new CommandError(`backup.sig in ${folder} was edited: it holds no signature.`);
  await key.verify(content, parts.data);
  return manifest.parse(jsonIn(content));
}

/** The rows of a table, each only after the hash of its block has been compared. @throws CommandError with the place */
export async function* verifiedLines(folder: string, name: TableName, { tables }: Manifest): AsyncGenerator<string> {
  const { rows, blocks } = tables[name];
  let block = 0;
  for await (const lines of inGroups(savedLines(folder, name), rowsInBlock)) {
    const from = block * rowsInBlock + 1;
    if (hashOfBlock(lines) !== blocks[block])
      throw edited(folder, name, `lines ${from} to ${from + lines.length - 1} are not those that the backup saved`);
    block += 1;
    yield* lines;
  }
  if (block < blocks.length)
    throw edited(folder, name, `it ends after line ${block * rowsInBlock}, and the backup saved ${rows} rows`);
}

async function hashesOf(folder: string, name: TableName) {
  const blocks: string[] = [];
  let rows = 0;
  for await (const lines of inGroups(savedLines(folder, name), rowsInBlock)) {
    blocks.push(hashOfBlock(lines));
    rows += lines.length;
  }
  return { rows, blocks };
}

const hashOfBlock = (lines: readonly string[]): string =>
  createHash('sha256').update(lines.join('\n')).digest('base64url');

const edited = (folder: string, name: TableName, what: string): CommandError =>
  new CommandError(
    `${basename(fileOf(folder, name))} was edited, cut or exchanged: ${what}. Use another copy of this backup.`,
  );

function jsonIn(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}
