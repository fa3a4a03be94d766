import { describe, expect, test } from 'vitest';
import { boundOf } from '../../src/core/accounts/account.ts';
import { deleteAccount } from '../../src/core/accounts/deleteAccount.ts';
import { patchAccount, putAccount } from '../../src/core/accounts/putAccount.ts';
import { vaultIdOf } from '../../src/core/customerKey/binding.ts';
import type { Service } from '../../src/core/service.ts';
import { getClaim, releaseClaim } from '../../src/core/vaultWork/releaseClaim.ts';
import { ownEntries } from '../../src/local/entries.ts';
import { tester } from '../../src/local/lab/lab.ts';
import { location } from '../../src/local/operator.ts';
import { firstBrokenLink } from '../chain.ts';
import { failure, useLab } from '../lab.ts';

const world = useLab();
const operator = { kind: 'principal', id: 'operator' } as const;
const claimOf = (vault: string) => ({ kind: 'vault', value: `${vault}.vault.azure.net` }) as const;
const release = (vault: string, service = world.lab.service) => releaseClaim(claimOf(vault), operator, service);
const by = (keyIdentifier: string) => ({
  encryption: { type: 'CustomerKey', keyIdentifier, identity: { useSystemAssignedIdentity: true } } as const,
});
const put = (name: string, owner: string, key: string, service: Service = world.lab.service) =>
  putAccount({ name, input: { owner, location, ...by(key) }, actor: tester }, service);
const holder = async (vault: string): Promise<string | undefined> => {
  const { kind, value } = claimOf(vault);
  return (await world.lab.service.claims.find(kind, value))?.value.owner;
};
const releases = async (vault: string) =>
  (await ownEntries(world.lab.service)).filter(({ claim }) => claim === `vault/${vault}.vault.azure.net`);

describe('INV-10: the operator releases a claim', () => {
  test('GET of a claim shows its owner, for any case of the name', async () => {
    const { lab } = world;
    await put('seen', 'contoso', await lab.vaultWithKey('seen-kv'));
    const asked = { kind: 'vault', value: 'SEEN-KV.vault.azure.net' } as const;
    expect(await getClaim(asked, lab.service)).toMatchObject({ owner: 'contoso', value: 'seen-kv.vault.azure.net' });
    expect(await failure(getClaim(claimOf('nobodys-kv'), lab.service))).toMatchObject({ code: 'NotFound' });
    expect(await failure(release('nobodys-kv'))).toMatchObject({ code: 'NotFound' });
  });

  test('a claim is not released while an account is bound through it; the refusal names the number of accounts and one of them', async () => {
    const key = await world.lab.vaultWithKey('used-kv');
    for (const name of ['used-a', 'used-b']) await put(name, 'contoso', key);
    const error = await failure(release('used-kv'));
    expect(error).toMatchObject({ code: 'Conflict', extras: { info: { accounts: 2 } } });
    expect(error.message).toMatch(/2, 'used-[ab]' among them/);
    expect(await holder('used-kv')).toBe('contoso');
    expect(await failure(put('used-c', 'fabrikam', key))).toMatchObject({ code: 'OwnerMismatch' });
    // A refused release leaves no mark that could block the owner.
    await put('used-d', 'contoso', key);
    expect(await releases('used-kv')).toEqual([]);
  });

  test('a claim without accounts is released, audited in the service’s chain, and free for the next owner', async () => {
    const { lab } = world;
    const key = await lab.vaultWithKey('freed-kv');
    await put('freed', 'contoso', key);
    await put('freed-2', 'contoso', key);
    await patchAccount(
      {
        name: 'freed-2',
        input: { encryption: { type: 'SystemKey' } },
        actor: tester,
        permissions: { mayRelease: true },
      },
      lab.service,
    );
    await deleteAccount('freed', {}, tester, lab.service);
    expect(await failure(put('freed-3', 'fabrikam', key))).toMatchObject({ code: 'OwnerMismatch' });
    expect(await release('freed-kv')).toMatchObject({ owner: 'contoso' });
    await put('freed-3', 'fabrikam', key);
    expect(await holder('freed-kv')).toBe('fabrikam');

    expect(await releases('freed-kv')).toMatchObject([{ type: 'ClaimReleased', actor: operator, before: 'contoso' }]);
    const [entries, head, { audit }] = await Promise.all([
      ...([ownEntries(lab.service), lab.service.serviceAudit.head(), lab.service.rings()] as const),
    ]);
    expect(
      await firstBrokenLink('service', entries, head?.value ?? expect.fail(), (n) => audit.kek(n)),
    ).toBeUndefined();
  });

  test('the claim of a user-assigned identity is released, for all vaults that it was used with', async () => {
    const { lab } = world;
    const body = { tenantId: '11111111-1111-4111-8111-111111111111', kind: 'userAssigned' };
    const made = await fetch(`${lab.identityUrl}/control/identities/claimed`, {
      method: 'PUT',
      body: JSON.stringify(body),
    });
    const { objectId, resourceId } = (await made.json()) as { objectId: string; resourceId: string };
    const key = await lab.vaultWithKey('identity-kv');
    const permissions = 'cryptoServiceEncryptionUser';
    await lab.keyVault('PUT', `/vaults/identity-kv/grants/${objectId}`, { permissions });
    const identity = { useSystemAssignedIdentity: false, userAssignedIdentity: resourceId } as const;
    const input = { owner: 'contoso', location, encryption: { ...by(key).encryption, identity } };
    await putAccount({ name: 'identified', input, actor: tester }, lab.service);
    const claim = { kind: 'userAssignedIdentity', value: resourceId } as const;
    expect(await failure(releaseClaim(claim, operator, lab.service))).toMatchObject({ code: 'Conflict' });
    await deleteAccount('identified', {}, tester, lab.service);
    expect(await releaseClaim(claim, operator, lab.service)).toMatchObject({ owner: 'contoso' });
  });
});

test.each([
  ['row', 'the row under its vault'],
  ['watch', 'its watch'],
  ['both', 'its watch and its bound row'],
  ['all', 'all three'],
] as const)(
  'INV-10: a claim is not released while an account is bound through it, also when the key has lost (%s) %s',
  async (id, lost) => {
    const { lab } = world;
    const vault = `lost-${id}-kv`;
    const { view } = await put(`lost-${id}`, 'contoso', await lab.vaultWithKey(vault));
    const { encryption } = view.record;
    if (encryption.type !== 'CustomerKey') expect.fail();
    const { id: bindingId } = encryption.binding;
    const [bindings, vaults] = [lab.table('bindings'), lab.table('vaults')];
    if (lost === 'the row under its vault' || lost === 'all three')
      await vaults.deleteEntity(vaultIdOf(encryption.binding.vaultHost), `binding:${bindingId}`);
    if (lost !== 'the row under its vault') await bindings.deleteEntity(bindingId, 'watch');
    if (lost === 'its watch and its bound row' || lost === 'all three') {
      const { version, name, instanceId } = boundOf(view.record, encryption);
      await bindings.deleteEntity(bindingId, `bound:${version}:${name}:${instanceId}`);
    }
    expect(await failure(release(vault))).toMatchObject({ code: 'Conflict', extras: { info: { accounts: 1 } } });
    expect(await holder(vault)).toBe('contoso');
  },
);

/** Runs `between` once, before the nth call that reads or changes claims or rows. */
function interrupted(at: number, between: () => Promise<unknown>): { replace: Partial<Service>; steps: () => number } {
  const { claims, bindings, accounts, vaults } = world.lab.service;
  let steps = 0;
  const watched = <T extends object>(port: T): T =>
    new Proxy(port, {
      get(target, name) {
        const call = Reflect.get(target, name);
        if (typeof call !== 'function' || name === 'list') return call;
        return async (...given: unknown[]) => {
          if (++steps === at) await between();
          return Reflect.apply(call, target, given);
        };
      },
    });
  const replace = {
    claims: watched(claims),
    bindings: watched(bindings),
    accounts: watched(accounts),
    vaults: watched(vaults),
  };
  return { replace, steps: () => steps };
}

describe('INV-10: a release while an account is being bound never leaves an account without its owner’s claim', () => {
  /** The only two end states: an account with its owner's claim, or neither. */
  async function settled(name: string, vault: string, owner: string): Promise<void> {
    const stored = await world.lab.service.accounts.read(name);
    if (stored?.value.lifecycle === 'active') expect(await holder(vault)).toBe(owner);
  }

  test('INV-10: a release at any step of a binding leaves the account with its claim, or neither', async () => {
    const { lab } = world;
    let outcomes = '';
    for (let at = 1; ; at++) {
      const vault = `bind-${at}-kv`;
      const key = await lab.vaultWithKey(vault);
      await put(`before-${at}`, 'contoso', key);
      await deleteAccount(`before-${at}`, {}, tester, lab.service);
      const done = await release(vault)
        .then(() => put(`again-${at}`, 'contoso', key))
        .then(() => deleteAccount(`again-${at}`, {}, tester, lab.service));
      expect(done).toBe(true);
      const { replace, steps } = interrupted(at, () =>
        release(vault).then(
          () => (outcomes += 'r'),
          ({ code }) => (outcomes += code === 'Conflict' ? 'c' : '?'),
        ),
      );
      await put(`bound-${at}`, 'contoso', key, await lab.another(replace));
      await settled(`bound-${at}`, vault, 'contoso');
      if (steps() < at) break;
    }
    // An early release is followed by a new claim; a late one is refused. No other result is allowed.
    expect(outcomes).toMatch(/^r+c+$/);
  });

  test('INV-10: a binding at any step of a release leaves the account with its claim, or neither', async () => {
    const { lab } = world;
    const outcomes = new Set<string>();
    for (let at = 1; ; at++) {
      const vault = `free-${at}-kv`;
      const key = await lab.vaultWithKey(vault);
      await put(`early-${at}`, 'contoso', key);
      await deleteAccount(`early-${at}`, {}, tester, lab.service);
      const { replace, steps } = interrupted(at, () => put(`late-${at}`, 'contoso', key));
      const released = await release(vault, await lab.another(replace)).then(
        () => 'released',
        ({ code }) => code,
      );
      outcomes.add(released);
      await settled(`late-${at}`, vault, 'contoso');
      if (steps() < at) break;
      expect(released).toBe('Conflict');
    }
    expect([...outcomes].sort()).toEqual(['Conflict', 'released']);
  });

  test('INV-10: an owner that claims first keeps the vault against an account that is being bound', async () => {
    const { lab } = world;
    const vault = 'swift-kv';
    const key = await lab.vaultWithKey(vault);
    await put('swift-old', 'contoso', key);
    await deleteAccount('swift-old', {}, tester, lab.service);
    // Another owner claims the released vault just before the first owner's record would be written.
    const claim = async () => {
      await release(vault);
      await put('swift-new', 'fabrikam', key);
    };
    const { claims } = lab.service;
    let isFirst = true;
    const slow: Partial<Service> = {
      bindings: {
        ...lab.service.bindings,
        putAccount: async (...given) => {
          if (isFirst) await claim();
          isFirst = false;
          return lab.service.bindings.putAccount(...given);
        },
      },
    };
    const error = await failure(put('swift-late', 'contoso', key, await lab.another(slow)));
    expect(error).toMatchObject({ code: 'OwnerMismatch' });
    expect(await lab.service.accounts.read('swift-late')).toBeUndefined();
    expect((await claims.find('vault', `${vault}.vault.azure.net`))?.value.owner).toBe('fabrikam');
  });
});

// The last group, because time does not go back: the rows of the tests above would be old from here on.
describe('INV-10: a claim is released hours after the last row was written', () => {
  test('the records decide about a release: a bound account prevents it, a stale row does not', async () => {
    const { lab } = world;
    const [used, left] = [await lab.vaultWithKey('aged-kv'), await lab.vaultWithKey('left-kv')];
    await put('aged', 'contoso', used);
    await put('left', 'contoso', left);
    const { encryption } = (await lab.view('left')).record;
    if (encryption.type !== 'CustomerKey') return expect.fail();
    const { binding, version } = encryption;
    const instanceId = '0f1e2d3c-4b5a-4978-8695-a4b3c2d1e0ff';
    await lab.service.bindings.putAccount(binding.id, { name: 'never', instanceId, version, follows: true });
    await deleteAccount('left', {}, tester, lab.service);
    expect(await failure(release('left-kv'))).toMatchObject({ code: 'Conflict' });
    lab.clock.set(lab.clock.now() + 2 * 3_600_000);
    expect(await failure(release('aged-kv'))).toMatchObject({ code: 'Conflict' });
    expect(await release('left-kv')).toMatchObject({ owner: 'contoso' });
  });
});
