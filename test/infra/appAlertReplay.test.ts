/** Replays faults on the pipeline of calls and messages, and evaluates the deployed alert rules over what it logs. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { appFaults, startApp } from './faults/app.ts';

describe('the alert rules of calls and messages', () => {
  const environment: NodeJS.ProcessEnv = {};
  beforeAll(() => Object.assign(environment, process.env));
  afterAll(() => {
    process.env = environment;
  });

  test.each(Object.entries(appFaults))(
    'the alert rules of calls and messages fire when %s',
    async (_, { rules: expected, play }) => {
      const app = startApp();
      await play(app);
      expect(app.replay.firing()).toEqual(expect.arrayContaining([...expected]));
    },
  );
});
