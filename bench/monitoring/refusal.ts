/**
 * The time from the customer's change in the vault until the last account is blocked, or works again, on both of two
 * hosts: in real time, with the default intervals and the shipped host.json, and as if every event were lost. Each
 * change is made right after a look, because Keyward then takes longest to see it. An account is blocked when a PATCH
 * through that host answers 403 CustomerKeyInaccessible, and works again when a GET returns Enabled (for the first and
 * the last: when a PATCH succeeds). Twenty accounts, spread over all, are polled until each has the expected state on
 * both hosts. Then a hundred more are polled once on one of the hosts, and again only if one does not have that state.
 * All accounts of a key have one verdict, so more calls would only measure this bench: they compete with the looks.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import pLimit from 'p-limit';
import { spawnHost } from '../../packages/functions-host/src/child.ts';
import { compose } from '../../src/azure/compose.ts';
import { type Caller, caller } from '../../src/local/client.ts';
import { appPrincipalId, homeTenantId, location } from '../../src/local/operator.ts';
import { type Stack, startStack } from '../../src/local/stack.ts';
import type { Bench, Report } from '../report.ts';
import { keyPool, seedAccounts } from '../seed.ts';

interface Scenario {
  readonly vault: string;
  readonly accounts: number;
  /** With its goal in seconds. Absent: access is restored right after the look that blocked the accounts. */
  readonly figure?: readonly [name: string, atMost: number];
  readonly revoke: Change;
  readonly giveBack: Change;
}

type Change = (stack: Stack, vault: string) => Promise<unknown>;

const setEnabled =
  (enabled: boolean): Change =>
  ({ keyVault }, vault) =>
    keyVault('PATCH', `/vaults/${vault}/keys/cmk`, { enabled });
const disabling = { revoke: setEnabled(false), giveBack: setEnabled(true) };
const deleting: { revoke: Change; giveBack: Change } = {
  revoke: ({ keyVault }, vault) => keyVault('DELETE', `/vaults/${vault}/keys/cmk`),
  giveBack: ({ keyVault }, vault) => keyVault('POST', `/vaults/${vault}/keys/cmk/recover`),
};
const removingTheGrant: { revoke: Change; giveBack: Change } = {
  revoke: ({ keyVault }, vault) => keyVault('DELETE', `/vaults/${vault}/grants/${appPrincipalId}`),
  giveBack: (stack, vault) => grant(stack, vault),
};

const scenarios: readonly Scenario[] = [
  { vault: 'disable-1', accounts: 1, figure: ['disabledToRefusedSeconds.1', 120], ...disabling },
  { vault: 'disable-1000', accounts: 1_000, figure: ['disabledToRefusedSeconds.1000', 120], ...disabling },
  { vault: 'delete-1', accounts: 1, figure: ['deletedToRefusedSeconds.1', 120], ...deleting },
  { vault: 'delete-1000', accounts: 1_000, figure: ['deletedToRefusedSeconds.1000', 120], ...deleting },
  { vault: 'ungrant-1000', accounts: 1_000, figure: ['grantRemovedToRefusedSeconds', 180], ...removingTheGrant },
  // Blocked half a minute after a sweep: the next look is due right after the look of the next sweep.
  { vault: 'restore-1000', accounts: 1_000, ...deleting },
];
const restoreGoalSeconds = 60;
const pollMs = 500;
const callsAtATime = 16;
/** The number of accounts, of a thousand, that are polled first, and of those that are polled after them. */
const spread = { first: 20, others: 100 };
/** Far beyond every goal, so that a missed figure is reported too. */
const giveUpMs = 330_000;

const grant = ({ keyVault }: Stack, vault: string) =>
  keyVault('PUT', `/vaults/${vault}/grants/${appPrincipalId}`, { permissions: 'cryptoServiceEncryptionUser' });

const refusal: Bench = async (report) => {
  const stack = await startStack({ keyPool, onLog: () => undefined });
  const appDir = fileURLToPath(new URL('../..', import.meta.url));
  const other = await spawnHost(
    { appDir, settings: { ...stack.settings }, keys: stack.host.keys, timers: false },
    () => undefined,
  );
  const hosts = [stack.host.url, other.url].map((url) => caller(url, { 'x-functions-key': stack.host.keys.function }));
  try {
    await Promise.all(scenarios.map((scenario) => createVault(stack, scenario)));
    const service = await compose(stack.settings, { info() {}, warn() {}, error() {} });
    for (const scenario of scenarios) {
      report.progress(`${scenario.vault}: ${scenario.accounts} accounts are created`);
      await seedAccounts(namesOf(scenario), `https://${scenario.vault}.vault.azure.net/keys/cmk`, service);
    }
    const restores = await Promise.all(scenarios.map((scenario) => play(scenario, stack, hosts, report)));
    report.figure('monitoring.restoreSeconds', Math.max(...restores), 's', { atMost: restoreGoalSeconds });
  } finally {
    await other.stop();
    await stack.stop();
  }
};

/** Without a subscription to its events. */
async function createVault(stack: Stack, { vault }: Scenario): Promise<void> {
  await stack.keyVault('POST', '/vaults', { name: vault, tenantId: homeTenantId, location });
  await grant(stack, vault);
  await stack.keyVault('POST', `/vaults/${vault}/keys/cmk`, { kty: 'RSA', size: 2048, fixture: 0 });
}

const namesOf = ({ vault, accounts }: Scenario): string[] =>
  Array.from({ length: accounts }, (_, n) => `${vault}-${String(n).padStart(4, '0')}`);

/** Revokes and restores access. Returns the seconds until the last account worked again. */
async function play(scenario: Scenario, stack: Stack, hosts: readonly Caller[], report: Report): Promise<number> {
  const { vault, figure, revoke, giveBack } = scenario;
  await nextLook(stack, vault);
  report.progress(`${vault}: access is revoked`);
  const revokedAt = performance.now();
  await revoke(stack, vault);
  await untilEach(endsOf(scenario), isRefused, revokedAt, hosts);
  if (figure !== undefined) {
    const refused = await secondsUntilAll(scenario, isRefused, revokedAt, hosts);
    report.figure(`monitoring.${figure[0]}`, refused, 's', { atMost: figure[1] });
    await nextLook(stack, vault);
  }
  report.progress(`${vault}: access is restored`);
  const givenAt = performance.now();
  await giveBack(stack, vault);
  await untilEach(endsOf(scenario), isServed, givenAt, hosts);
  const restored = await secondsUntilAll(scenario, isEnabled, givenAt, hosts);
  report.progress(`${vault}: every account works again after ${restored.toFixed(1)} s`);
  return restored;
}

/** Resolves right after the vault's response to a look that began after this call. */
async function nextLook({ keyVault }: Stack, vault: string): Promise<void> {
  type Seen = { requests: { status: number | string }[] };
  const answered = async () => {
    const { requests } = await keyVault<Seen>('GET', `/requests?vault=${vault}&operation=unwrapkey`);
    return requests.filter(({ status }) => status !== 401).length;
  };
  const before = await answered();
  while ((await answered()) === before) await sleep(100);
}

type Probe = (host: Caller, name: string) => Promise<boolean>;

/** A PATCH that changes nothing. */
const patched = (host: Caller, name: string) => host('PATCH', `/api/accounts/${name}`, {});

const isRefused: Probe = async (host, name) => {
  const { status, body } = await patched(host, name);
  return status === 403 && body?.error?.code === 'CustomerKeyInaccessible';
};
const isEnabled: Probe = async (host, name) =>
  (await host('GET', `/api/accounts/${name}`)).body?.properties?.state === 'Enabled';
const isServed: Probe = async (host, name) =>
  (await isEnabled(host, name)) && (await patched(host, name)).status === 200;

const endsOf = (scenario: Scenario): string[] => {
  const names = namesOf(scenario);
  return [...new Set([names[0] ?? '', names.at(-1) ?? ''])];
};

async function secondsUntilAll(
  scenario: Scenario,
  isIt: Probe,
  from: number,
  hosts: readonly Caller[],
): Promise<number> {
  const names = namesOf(scenario);
  const spreadOver = (count: number) => names.filter((_, n) => n % Math.max(1, Math.floor(names.length / count)) === 0);
  const sampled = await untilEach(spreadOver(spread.first), isIt, from, hosts);
  const ofHost = (n: number) => spreadOver(spread.others).filter((_, m) => m % hosts.length === n);
  const polled = await Promise.all(hosts.map((host, n) => untilEach(ofHost(n), isIt, from, [host])));
  return (Math.max(sampled.lastAt, ...polled.map(({ lateAt = 0 }) => lateAt)) - from) / 1000;
}

/**
 * Polls each account on each host for the expected state. Returns the time of the last one, and of the last that was
 * late.
 */
async function untilEach(
  names: readonly string[],
  isIt: Probe,
  from: number,
  hosts: readonly Caller[],
): Promise<{ lastAt: number; lateAt?: number }> {
  const limit = pLimit(callsAtATime);
  const moments: { lastAt: number; lateAt?: number } = { lastAt: from };
  const untilIt = async (host: Caller, name: string) => {
    let isLate = false;
    while (!(await limit(isIt, host, name)) && performance.now() - from < giveUpMs) {
      isLate = true;
      await sleep(pollMs);
    }
    moments.lastAt = performance.now();
    if (isLate) moments.lateAt = performance.now();
  };
  await Promise.all(hosts.flatMap((host) => names.map((name) => untilIt(host, name))));
  return moments;
}

export default refusal;
