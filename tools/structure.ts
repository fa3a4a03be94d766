/**
 * Prints how the folders of src/core depend on each other: `node tools/structure.ts`. test/structure.test.ts asserts
 * the limits. Type imports count like run-time imports, because a reader follows both.
 */
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, sep } from 'node:path';

/** The capabilities of src/core, low to high: a file imports from its own folder and from lower ones only. */
export const capabilities = [
  'base',
  'crypto',
  'customerKey',
  'audit',
  'rings',
  'watch',
  'accounts',
  'secrets',
  'dataKeys',
  'rotation',

  'vaultWork',
  'reseal',
  'announcements',
  'attestation',
  'overview',
  'customerPage',
  'erasure',
  'ams',
  'dailyProgress.ts',
  'passProgress.ts',
  'dailyPass.ts',
  'drill.ts',
  'health.ts',
  'service.ts',
];

export interface Arrow {
  /** Paths below src/core. */
  readonly from: string;
  readonly to: string;
}

export interface Structure {
  /** Imports between files of different folders. */
  readonly arrows: readonly Arrow[];
  /** Those that lead from a lower capability to a higher one. */
  readonly upward: readonly Arrow[];
  /** Files that import each other, directly or through others; the largest such group. Empty: there is none. */
  readonly largestCircle: readonly string[];
  /** Files that import the type `Service`, which holds the dependencies of all capabilities. */
  readonly seeService: readonly string[];
  readonly ports: readonly Port[];
}

/** An interface of a `ports.ts` that has functions. */
export interface Port {
  readonly name: string;
  readonly functions: number;
}

const importsOf = (source: string): string[] =>
  [...source.matchAll(/^(?:import|export)\s[^;]*?from '(\.[^']+)';/gm)].map(([, path = '']) => path);

export function structureOf(core: string): Structure {
  const files = globSync('**/*.ts', { cwd: core }).map((file) => file.split(sep).join('/'));
  const sources = new Map(files.map((file) => [file, readFileSync(join(core, file), 'utf8')]));
  const all = files.flatMap((from) =>
    importsOf(sources.get(from) ?? '').map((path) => ({ from, to: normalize(join(dirname(from), path)) })),
  );
  const arrows = all.filter(({ from, to }) => capabilityOf(from) !== capabilityOf(to));
  const seeService = files.filter((file) => /import type \{[^}]*\bService\b[^}]*\}/.test(sources.get(file) ?? ''));
  const ports = files.filter((file) => file.endsWith('/ports.ts')).flatMap((file) => portsOf(sources.get(file) ?? ''));
  return { arrows, upward: arrows.filter(isUpward), largestCircle: largestCircle(files, all), seeService, ports };
}

/** The formatter indents the members of an interface by two spaces. */
const portsOf = (source: string): Port[] =>
  [...source.matchAll(/^export interface (\w+)[^{]*\{\n(.*?)^\}/gms)]
    .map(([, name = '', members = '']) => ({
      name,
      functions: members.match(/^ {2}(?:readonly )?\w+(?:: )?(?:<.*>)?\(/gm)?.length ?? 0,
    }))
    .filter(({ functions }) => functions > 0);

const capabilityOf = (file: string): string => file.split('/')[0] ?? file;

function isUpward({ from, to }: Arrow): boolean {
  return capabilities.indexOf(capabilityOf(to)) > capabilities.indexOf(capabilityOf(from));
}

/** Tarjan's strongly connected components; one file alone is no circle. */
function largestCircle(files: readonly string[], arrows: readonly Arrow[]): string[] {
  const next = new Map<string, string[]>();
  for (const { from, to } of arrows) next.set(from, [...(next.get(from) ?? []), to]);
  const index = new Map<string, number>();
  const low = new Map<string, number>();
  const open: string[] = [];
  let largest: string[] = [];
  const visit = (file: string): number => {
    const number = index.size;
    index.set(file, number);
    let lowest = number;
    open.push(file);
    for (const to of next.get(file) ?? []) {
      if (!index.has(to)) lowest = Math.min(lowest, visit(to));
      else if (open.includes(to)) lowest = Math.min(lowest, index.get(to) ?? lowest);
    }
    low.set(file, lowest);
    if (lowest === number) {
      const circle = open.splice(open.indexOf(file));
      if (circle.length > 1 && circle.length > largest.length) largest = circle;
    }
    return lowest;
  };
  for (const file of files) if (!index.has(file)) visit(file);
  return largest;
}

if (import.meta.main) {
  const { arrows, upward, largestCircle, seeService, ports } = structureOf(join(import.meta.dirname, '../src/core'));
  const largest = Math.max(...ports.map(({ functions }) => functions));
  const largestPorts = ports.filter(({ functions }) => functions === largest).map(({ name }) => name);
  const list = (lines: readonly string[]) => lines.map((line) => `  ${line}\n`).join('');
  process.stdout.write(
    `arrows between core folders   ${arrows.length}\n` +
      `upward arrows                 ${upward.length}\n${list(upward.map(({ from, to }) => `${from} -> ${to}`))}` +
      `largest import circle         ${largestCircle.length} files\n${list(largestCircle)}` +
      `files that see all of Service ${seeService.length}\n${list(seeService)}` +
      `largest of ${ports.length} ports           ${largest} functions\n${list(largestPorts)}`,
  );
}
