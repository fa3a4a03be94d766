/** Links for a customer: what opens one, and that nothing else does. */
import { createHmac, hkdfSync } from 'node:crypto';
import { expect, test } from 'vitest';
import { createLink, openLink, revokeLink } from '../../src/core/customerPage/customerLink.ts';
import { blockBoundMs, releaseBoundMs } from '../../src/core/watch/blockBound.ts';
import { tester } from '../../src/local/lab/lab.ts';
import { designPolicy } from '../builders.ts';
import { failure, useLab } from '../lab.ts';

const hour = 3_600_000;
const world = useLab();
const opened = (token: string) => openLink(token, 'customerKeys', world.lab.service);
const refusal = async (token: string) => (await failure(opened(token))).code;

test('a link opens for its owner until it expires, and every use is in the audit', async () => {
  const { lab } = world;
  const { link, token } = await createLink('contoso', 2, tester, lab.service);
  expect(await opened(token)).toEqual(link);
  const { rows } = await lab.service.serviceAudit.audit({ limit: 1000 });
  const entries = rows.map(({ entry }) => Object(entry)).filter((entry) => entry.link === link.id);
  expect(entries).toMatchObject([
    { type: 'LinkCreated', actor: tester, owners: ['contoso'] },
    { type: 'LinkUsed', actor: { kind: 'customerLink', id: link.id }, owners: ['contoso'], call: 'customerKeys' },
  ]);
  lab.clock.set(lab.clock.now() + 2 * hour - 1);
  expect(await opened(token)).toEqual(link);
  lab.clock.set(lab.clock.now() + 1);
  expect((await failure(opened(token))).message).toContain('expired');
});

test('a revoked link is refused at once, also in another process', async () => {
  const { lab } = world;
  const { link, token } = await createLink('contoso', 2, tester, lab.service);
  await opened(token);
  expect(await revokeLink('fabrikam', link.id, tester, lab.service)).toBe(false);
  expect(await revokeLink('contoso', link.id, tester, lab.service)).toBe(true);
  expect(await revokeLink('contoso', link.id, tester, lab.service)).toBe(false);
  expect(await refusal(token)).toBe('AuthenticationFailed');
  expect((await failure(openLink(token, 'customerKeys', await lab.another()))).code).toBe('AuthenticationFailed');
});

test('a link with another owner, end, id or signature is refused', async () => {
  const { lab } = world;
  const { token } = await createLink('contoso', 2, tester, lab.service);
  const { token: other } = await createLink('fabrikam', 48, tester, lab.service);
  const parts = token.split('.');
  const strange = other.split('.');
  const edited = parts.map((_, n) => parts.map((part, m) => (m === n ? (strange[n] ?? '') : part)).join('.'));
  // The generation is the same in both.
  const wrong = edited.filter((text) => text !== token);
  expect(wrong).toHaveLength(4);
  for (const text of [
    ...wrong,
    `${token}A`,
    token.slice(0, -1),
    '',
    'a.b.c',
    token.replace(/\d\.([\w-]{43})$/, '9.$1'),
  ])
    expect(await refusal(text)).toBe('AuthenticationFailed');
});

test('the signature of a link is the HMAC of docs/envelope.md', async () => {
  const { lab } = world;
  const { link, token } = await createLink('contoso', 2, tester, lab.service);
  const { key, generation } = (await lab.service.rings()).atRest.newest;
  const lengthPrefixed = ['keyward/customer-link/1', link.id, 'contoso', String(link.expiresAt)].map((text) => {
    const bytes = Buffer.from(text, 'utf8');
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    return Buffer.concat([length, bytes]);
  });
  const subkey = Buffer.from(hkdfSync('sha256', key, '', 'keyward/customer-link/1', 32));
  const signature = createHmac('sha256', subkey).update(Buffer.concat(lengthPrefixed)).digest('base64url');
  expect(token).toBe(
    `${link.id}.${Buffer.from('contoso').toString('base64url')}.${link.expiresAt}.${generation}.${signature}`,
  );
});

test('a link that is used more than 60 times a minute is refused for a while', async () => {
  const { lab } = world;
  const service = await lab.another();
  const { token } = await createLink('contoso', 2, tester, service);
  for (let n = 0; n < 60; n++) await openLink(token, 'customerKeys', service);
  expect((await failure(openLink(token, 'customerKeys', service))).code).toBe('TooManyRequests');
});

test('the bounds of the customer’s page are those of docs/states-and-bounds.md', () => {
  const inSeconds = (cause: Parameters<typeof blockBoundMs>[0]) => blockBoundMs(cause, designPolicy) / 1000;
  const causes = ['KeyDisabled', 'KeyNotFound', 'KeyPermissionDenied', 'VaultNotFound'] as const;
  expect(causes.map(inSeconds)).toEqual([96, 126, 156, 996]);
  expect(releaseBoundMs(designPolicy) / 1000).toBe(370);
});
