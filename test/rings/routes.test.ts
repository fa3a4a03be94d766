/** The operator's calls about rings, and the event of an operator's key, on the built app. */
import { expect, test } from 'vitest';
import { ringsContract, rotateRingContract } from '../../src/functions/http/rings/rings.ts';
import { until } from '../../src/local/client.ts';
import { got, newAccount, refused, useStack } from '../app/support.ts';
import { operatorVault } from './support.ts';

const world = useStack();
const path = '/api/operator/rings';

test('the rings call shows which keys wrap the rings, and an event of the operator’s vault re-wraps them within seconds', async () => {
  const { api, stack } = world;
  const { headers } = await got(201, api('PUT', '/api/accounts/ringed', newAccount()));
  const shown = await got(200, api('GET', path));
  expect(ringsContract.answers[200]?.safeParse(shown.body).error).toBeUndefined();
  expect(shown.body.value.map((one: { ring: string; sealing: number }) => `${one.ring} ${one.sealing}`)).toEqual([
    'system 1',
    'at-rest 1',
    'audit 1',
  ]);
  const wrappings = (body: typeof shown.body): string[] => body.value[0].generations[0].keys;
  expect(wrappings(shown.body)).toEqual([
    expect.stringMatching(/^https:\/\/keyward-operator\.vault\.azure\.net\/keys\/system\/[0-9a-f]{32}$/),
  ]);
  expect(JSON.stringify(shown.body)).not.toContain('wrapped');

  await stack.subscribeToVault(operatorVault);
  const made = await stack.keyVault<{ key: { kid: string } }>('POST', `/vaults/${operatorVault}/keys/system/rotate`);
  const { body } = await until(
    'the system ring is under the new version',
    () => got(200, api('GET', path)),
    (seen) => wrappings(seen.body).join() === made.key.kid && 'keysCheckedAt' in seen.body,
  );
  expect(body).toMatchObject({ keysAnswered: true, keysCheckedAt: expect.stringMatching(/Z$/) });
  expect((await got(200, api('GET', '/api/accounts/ringed'))).headers.get('etag')).toBe(headers.get('etag'));
});

test('a new KEK of a ring, named in any case, is made on request, one at a time, and the rings call shows it from the start', async () => {
  const { api } = world;
  const { body } = await got(202, api('POST', `${path}/at-rest/rotate`));
  expect(rotateRingContract.answers[202]?.safeParse(body).error).toBeUndefined();
  expect(body).toMatchObject({ ring: 'at-rest', sealing: 1, rotation: { phase: 'arriving', to: 2 } });
  expect(body.generations).toHaveLength(2);
  await refused(409, 'Conflict', api('POST', `${path}/At-Rest/rotate`));
  // No work is due yet, so a sweep changes nothing.
  await world.stack.host.invokeTimer('sweep');
  const seen = await got(200, api('GET', path));
  expect(seen.body.value[1].rotation).toEqual(body.rotation);
  await refused(400, 'InvalidParameter', api('POST', `${path}/absent/rotate`));
});
