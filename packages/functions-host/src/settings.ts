/**
 * App settings: the `Values` of local.settings.json, overridden by the caller's, written into `process.env` for the app
 * and named by `%NAME%` in bindings. The environment belongs to the process, so two hosts in it must not contradict
 * each other. Start a host with other settings as its own process.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export type Settings = Record<string, string>;

export function readLocalSettings(appDir: string): Settings {
  const file = join(appDir, 'local.settings.json');
  if (!existsSync(file)) return {};
  let content: { IsEncrypted?: unknown; Values?: unknown };
  try {
    content = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new Error(`${file} is not JSON: ${(error as Error).message}`);
  }
  if (content.IsEncrypted === true)
    throw new Error(`${file}: IsEncrypted is true; this host reads plain settings only`);
  const values = content.Values ?? {};
  if (typeof values !== 'object' || Array.isArray(values)) throw new Error(`${file}: Values must be an object`);
  for (const [name, value] of Object.entries(values as object)) {
    if (typeof value !== 'string') throw new Error(`${file}: Values.${name} must be text`);
  }
  return values as Settings;
}

/** Names ignore case, as in .NET configuration; an app setting takes precedence over the environment. */
export function lookUp(settings: Settings, name: string): string | undefined {
  const exact = settings[name];
  if (exact !== undefined) return exact;
  const wanted = name.toLowerCase();
  const found = Object.keys(settings).find((key) => key.toLowerCase() === wanted);
  return found === undefined ? process.env[name] : settings[found];
}

/** `Missing` is the first setting that a text names and that is not set. */
export type Resolved = { kind: 'Text'; text: string } | { kind: 'Missing'; setting: string } | { kind: 'Unclosed' };

/** Replaces each `%NAME%` (WebJobs SDK, INameResolver.ResolveWholeString). */
export function resolveSettings(text: string, settings: Settings): Resolved {
  const parts = text.split('%');
  if (parts.length % 2 === 0) return { kind: 'Unclosed' };
  let result = '';
  for (const [index, part] of parts.entries()) {
    if (index % 2 === 0) {
      result += part;
      continue;
    }
    const value = lookUp(settings, part);
    if (value === undefined) return { kind: 'Missing', setting: part };
    result += value;
  }
  return { kind: 'Text', text: result };
}

interface Held {
  users: number;
  value: string;
  before: string | undefined;
}
const held = new Map<string, Held>();

/** Writes settings into the environment; `restore` removes them when no other host uses them. */
export function applyEnvironment(settings: Settings): { restore(): void } {
  for (const [name, value] of Object.entries(settings)) {
    const other = held.get(name);
    if (other !== undefined && other.value !== value) {
      throw new Error(
        `Another host in this process runs with another value of the setting ${name}; start this one as its own process (spawnHost)`,
      );
    }
  }
  for (const [name, value] of Object.entries(settings)) {
    const other = held.get(name);
    if (other === undefined) held.set(name, { users: 1, value, before: process.env[name] });
    else other.users++;
    process.env[name] = value;
  }
  let restored = false;
  return {
    restore() {
      if (restored) return;
      restored = true;
      for (const name of Object.keys(settings)) {
        const mine = held.get(name);
        if (mine === undefined || --mine.users > 0) continue;
        held.delete(name);
        if (mine.before === undefined) delete process.env[name];
        else process.env[name] = mine.before;
      }
    },
  };
}
