/** Replays faults of the operator's keys and rings, and evaluates the deployed alert rules over the log of the app. */
import { describe, expect, test } from 'vitest';
import { startLab } from '../../src/local/lab/lab.ts';
import { keyPool } from '../lab.ts';
import { operatorKeyFaults } from './faults/operatorKeys.ts';
import { startReplay } from './replay.ts';

describe('the alert rules of the operator’s keys', () => {
  test.each(Object.entries(operatorKeyFaults))(
    'the alert rules of the operator’s keys fire when %s',
    async (_, { rules: expected, play }) => {
      const lab = await startLab({ keyPool });
      try {
        const replay = startReplay(lab);
        await play(replay, lab);
        expect(replay.firing()).toEqual(expect.arrayContaining([...expected]));
      } finally {
        await lab.stop();
      }
    },
  );
});
