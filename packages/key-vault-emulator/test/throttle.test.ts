import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  admit,
  defaultThrottle,
  documentedPerSecond,
  newThrottleState,
  type ThrottleSettings,
} from '../src/throttle.ts';
import { openStage, raw, type Stage } from './helpers.ts';

const on: ThrottleSettings = { ...defaultThrottle, enabled: true };

/** How many of these requests are admitted when they all arrive at the same moment. */
function burst(settings: ThrottleSettings, kinds: string[], at = 0, from = newThrottleState()) {
  let state = from;
  let admitted = 0;
  for (const kind of kinds) {
    const result = admit(state, settings, kind, at);
    state = result.state;
    if (result.admitted) admitted += 1;
  }
  return { admitted, state };
}

describe('the throttle', () => {
  it.each(Object.entries(documentedPerSecond))('the default limit admits one second of %s: %i', (kind, perSecond) => {
    expect(burst(on, Array(1000).fill(kind)).admitted).toBe(perSecond);
  });

  it('one RSA-4096-HSM operation costs as much as eight RSA-2048-HSM operations', () => {
    const large = burst(on, Array(24).fill('RSA-4096-HSM'));
    expect(large.admitted).toBe(24);
    expect(burst(on, Array(100).fill('RSA-2048-HSM'), 0, large.state).admitted).toBe(8);
  });

  it('the creation of keys has a limit of its own', () => {
    const { state } = burst(on, Array(500).fill('RSA-2048'));
    expect(burst(on, ['create', 'create', 'create'], 0, state).admitted).toBe(2);
  });

  it('a bucket fills with time, and a refused request costs nothing', () => {
    const { state } = burst(on, Array(5000).fill('RSA-3072'));
    expect(burst(on, Array(1000).fill('RSA-3072'), 250, state).admitted).toBe(25);
    expect(burst(on, Array(1000).fill('RSA-3072'), 60_000, state).admitted).toBe(100);
  });

  it('limits and bursts can be set', () => {
    expect(burst({ ...on, perSecond: { 'RSA-3072': 10 }, burstSeconds: 2 }, Array(99).fill('RSA-3072')).admitted).toBe(
      20,
    );
    expect(burst({ ...on, perSecond: { 'RSA-2048': 0.1 } }, Array(9).fill('RSA-2048')).admitted).toBe(1);
  });
});

describe('a vault over its limit', () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await openStage();
  });
  afterAll(() => stage.stop());

  it('a vault over its limit returns 429, with Retry-After only when it is set, and still answers the challenge', async () => {
    const { name, host } = await stage.vault({ throttle: { enabled: true, perSecond: { 'RSA-3072': 2 } } });
    await stage.key(name, 'cmk', { size: 3072 });
    const get = () => stage.call(name, 'GET', '/keys/cmk');
    for (let index = 0; index < 5; index += 1) await raw(stage.url, { host, path: '/keys/cmk' });
    const answers = await Promise.all([get(), get(), get(), get()]);
    expect(answers.map((answer) => answer.status).sort()).toEqual([200, 200, 429, 429]);
    const refused = answers.find((answer) => answer.status === 429);
    expect([refused?.json.error.code, refused?.headers['retry-after']]).toEqual(['Throttled', undefined]);
    await stage.control('PATCH', `/vaults/${name}`, { throttle: { retryAfterSeconds: 10 } });
    expect((await get()).headers['retry-after']).toBe('10');
    await stage.control('PATCH', `/vaults/${name}`, { throttle: { enabled: false } });
    expect((await get()).status).toBe(200);
  });
});
