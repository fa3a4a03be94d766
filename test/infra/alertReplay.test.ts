/**
 * Replays faults on the laboratory, and evaluates the deployed alert rules over the log that the app writes. The faults
 * of the operator's keys are in operatorAlertReplay.test.ts, and those of the pipeline of calls in
 * appAlertReplay.test.ts. nightWalk.test.ts has those of audit chains and stuck rotations.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { oneIn } from '../exhaustive.ts';
import { useLab } from '../lab.ts';
import { announcementFaults } from './faults/announcements.ts';
import { appFaults } from './faults/app.ts';
import { account, customerKeyFaults, faultyKeyVault } from './faults/customerKeys.ts';
import { canaryKey, drillFaults } from './faults/drill.ts';
import { operatorKeyFaults } from './faults/operatorKeys.ts';
import { storedRowFaults } from './faults/storedRows.ts';
import { minute, rules, rulesOf, startReplay } from './replay.ts';

const faults = { ...customerKeyFaults, ...storedRowFaults, ...announcementFaults, ...drillFaults };
const world = useLab({ keyVault: faultyKeyVault, announces: true, settings: { KEYWARD_DRILL_KEY: canaryKey } });

describe('the alert rules', () => {
  beforeAll(async () => {
    for (const name of ['r-healthy-1', 'r-healthy-2']) await account(world.lab, name);
  });

  test('the alert rules are all silent in a healthy hour', async () => {
    const replay = startReplay(world.lab, 11 * minute);
    await replay.minutes(60);
    expect(replay.firing()).toEqual([]);
  });

  test.each(oneIn(3, Object.entries(faults)))('the alert rules fire when %s', async (_, { rules: expected, play }) => {
    const replay = startReplay(world.lab);
    await play(replay, world.lab);
    expect(replay.firing()).toEqual(expect.arrayContaining([...expected]));
  });

  test('each have the replay of a fault that fires them', () => {
    const nights = readFileSync(fileURLToPath(new URL('nightWalk.test.ts', import.meta.url)), 'utf8');
    const atNight = [...nights.matchAll(/(?:alertOf|toContain)\('([\w-]+)'\)/g)].map(([, name = '']) => name);
    const replayed = new Set([...[faults, operatorKeyFaults, appFaults].flatMap(rulesOf), ...atNight]);
    expect(rules.map(({ name }) => name).filter((name) => !replayed.has(name))).toEqual([]);
  });
});
