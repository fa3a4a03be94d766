/**
 * `npm run bench -- startup`: the cost of a cold start before the first call, and with it. Every number is a process of
 * its own. The variants take turns, so that a busy machine slows all of them equally, and medians are compared.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { startAzurite } from '../src/local/azurite.ts';
import { homeTenantId } from '../src/local/operator.ts';
import type { Bench } from './report.ts';
import type { Loaded } from './startup/load.ts';
import { buildVariants } from './startup/variants.ts';
import { median } from './timing.ts';

const rounds = 12;

const startup: Bench = async ({ figure, progress }) => {
  const { floor, empty, bundled, unbundled, eager, loader, bundleBytes } = await buildVariants();
  const azurite = await startAzurite();
  const settings = settingsWith(azurite.connectionString);
  const load = (entry: string, ...more: string[]) => loadOnce(loader, [entry, ...more], settings);
  const turns = {
    floor: () => load(floor),
    bundled: () => load(bundled),
    unbundled: () => load(unbundled),
    bundledRead: () => load(bundled, 'accountsGet'),
    eagerRead: () => load(eager, 'accountsGet'),
    bundledLive: () => load(bundled, 'healthLive'),
    bundledSweep: () => load(bundled, 'sweep'),
    emptyRead: () => load(empty, 'accountsGet'),
    emptyLive: () => load(empty, 'healthLive'),
    emptySweep: () => load(empty, 'sweep'),
  };
  try {
    // Not counted: it creates the table, and fills the system's file cache.
    for (const turn of Object.values(turns)) await turn();
    const seen = new Map<string, Loaded[]>(Object.keys(turns).map((name) => [name, []]));
    for (let round = 1; round <= rounds; round++) {
      for (const [name, turn] of Object.entries(turns)) seen.get(name)?.push(await turn());
      progress(`startup: round ${round} of ${rounds}`);
    }
    const medianOf = (name: keyof typeof turns, value: (one: Loaded) => number | undefined) =>
      median((seen.get(name) ?? []).map((one) => value(one) ?? Number.NaN));
    const loadMs = (name: keyof typeof turns) => medianOf(name, (one) => one.loadMs);
    const firstReadMs = (name: keyof typeof turns) => medianOf(name, (one) => one.firstCallMs);
    const cpuMs = (name: keyof typeof turns) => medianOf(name, (one) => one.cpuMs);
    progress(
      `startup: load ${loadMs('floor').toFixed(1)} ms floor, ${loadMs('bundled').toFixed(1)} bundled, ${loadMs('unbundled').toFixed(1)} unbundled; with a first read ${firstReadMs('bundledRead').toFixed(1)}, eager ${firstReadMs('eagerRead').toFixed(1)}`,
    );
    figure('startup.ofFloor', loadMs('bundled') / loadMs('floor'), 'times', { atMost: 2.5 });
    figure('startup.vsUnbundled', loadMs('unbundled') / loadMs('bundled'), 'times', { atLeast: 4 });
    figure('startup.firstReadOfEager', firstReadMs('bundledRead') / firstReadMs('eagerRead'), 'times', { atMost: 1.2 });
    // User CPU time, Node's own start included: it has less noise than time on the clock.
    const ofEmpty = (ours: keyof typeof turns, its: keyof typeof turns) => cpuMs(ours) / cpuMs(its);
    figure('startup.httpFirstAnswerOfEmptyApp', ofEmpty('bundledRead', 'emptyRead'), 'times', { atMost: 2.5 });
    figure('startup.livenessOfEmptyApp', ofEmpty('bundledLive', 'emptyLive'), 'times', { atMost: 1.5 });
    figure('startup.sweepOfEmptyApp', ofEmpty('bundledSweep', 'emptySweep'), 'times', { atMost: 2.5 });
    figure('startup.bundleKiB', bundleBytes / 1024, 'KiB', { atMost: 1500 });
    // Node itself uses most of it. The smallest instance of Flex Consumption has 512 MB.
    figure(
      'startup.residentMiB',
      medianOf('bundled', (one) => one.residentMiB),
      'MiB',
      { atMost: 128 },
    );
  } finally {
    await azurite.stop();
  }
};

async function loadOnce(loader: string, args: string[], settings: NodeJS.ProcessEnv): Promise<Loaded> {
  const child = fork(loader, args, { env: { PATH: process.env.PATH, ...settings }, execArgv: [] });
  const said = once(child, 'message') as Promise<[Loaded]>;
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`${args.join(' ')} ended with ${code} and printed nothing`);
  });
  const [loaded] = await Promise.race([said, ended]);
  await ended.catch(() => undefined);
  return loaded;
}

const settingsWith = (connectionString: string): NodeJS.ProcessEnv => ({
  AZURE_FUNCTIONS_ENVIRONMENT: 'Development',
  AzureWebJobsStorage: connectionString,
  KEYWARD_TENANT_ID: homeTenantId,
  KEYWARD_SYSTEM_KEY: 'https://keyward-operator.vault.azure.net/keys/system',
  KEYWARD_AT_REST_KEY: 'https://keyward-operator.vault.azure.net/keys/at-rest',
  KEYWARD_SWEEP_SCHEDULE: '0 * * * * *',
  KEYWARD_AUTH: 'functionKeys',
});

export default startup;
