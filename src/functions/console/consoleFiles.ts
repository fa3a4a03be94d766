/** The built console: files beside the bundle, read on their first request and then held compressed. */
import { readdir, readFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';

/** Beside the chunks of the bundle, which is where this module is. */
const folder = fileURLToPath(new URL('console/', import.meta.url));

const contentTypes: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

export interface ConsoleFile {
  readonly contentType: string;
  readonly bytes: Uint8Array;
  readonly gzipped: Uint8Array;
  /** Its name has a hash of its content, so it never changes. */
  readonly isHashed: boolean;
}

let names: Promise<ReadonlySet<string>> | undefined;
const files = new Map<string, Promise<ConsoleFile>>();

/** Undefined: no file has this path. A path can only name a file that the folder lists. */
export async function consoleFile(path: string): Promise<ConsoleFile | undefined> {
  names ??= listed();
  if (!(await names).has(path)) return undefined;
  const known = files.get(path) ?? read(path);
  files.set(path, known);
  return known;
}

async function listed(): Promise<ReadonlySet<string>> {
  const found = await readdir(folder, { recursive: true }).catch(() => []);
  return new Set(found.map((name) => name.replaceAll('\\', '/')).filter((name) => extname(name) in contentTypes));
}

async function read(path: string): Promise<ConsoleFile> {
  const bytes = await readFile(folder + path);
  const contentType = contentTypes[extname(path)] ?? 'application/octet-stream';
  return { contentType, bytes, gzipped: await promisify(gzip)(bytes), isHashed: path.startsWith('assets/') };
}
