import { describe, expect, it } from 'vitest';
import {
  actorOf,
  type Cause,
  causes,
  classOf,
  isCause,
  isDenied,
  meaningOf,
  remedyOf,
} from '../../src/core/base/causes.ts';
import {
  describeError,
  type ErrorCode,
  LostRace,
  Refusal,
  retryLostRaces,
  statusOf,
  Unavailable,
} from '../../src/core/base/errors.ts';
import { designCauses } from '../builders.ts';

const listed = Object.entries(designCauses).flatMap(([name, words]) =>
  words.map((word: Cause) => [word, name] as const),
);
const at = { vaultName: 'contoso', keyName: 'cmk' };

describe('the list of causes', () => {
  it('the list of causes is that of the design, and has at least 20 codes', () => {
    expect([...causes].sort()).toEqual(listed.map(([word]) => word).sort());
    expect(causes.length).toBeGreaterThanOrEqual(20);
  });

  it.each(listed)('the cause %s is of the class %s', (cause, name) => {
    expect(classOf(cause)).toBe(name);
    expect(isDenied(cause)).toBe(name === 'denied');
  });

  it.each(causes)('the cause %s has an actor, a meaning and a remedy without placeholders', (cause) => {
    expect(cause).toMatch(/^([A-Z][a-z]+)+$/);
    expect(['customer', 'operator', 'none']).toContain(actorOf(cause));
    expect(meaningOf(cause)).toMatch(/^[A-Z].{20,}\.$/);
    expect(meaningOf(cause)).not.toMatch(/[{}]/);
    expect(remedyOf(cause, at)).toMatch(/^[A-Z].{15,}/);
    expect(remedyOf(cause, at)).not.toMatch(/[{}]|undefined/);
  });

  it('isCause accepts the codes of the list, and no property of Object', () => {
    expect(isCause('KeyDisabled')).toBe(true);
    for (const word of ['keydisabled', 'constructor', '__proto__', 'toString', '']) expect(isCause(word)).toBe(false);
  });

  it.each<[Cause, string]>([
    ['KeyDisabled', 'az keyvault key set-attributes --vault-name contoso --name cmk --enabled true'],
    ['KeyNotFound', 'az keyvault key recover --vault-name contoso --name cmk'],
    [
      'KeyOperationNotAllowed',
      'az keyvault key set-attributes --vault-name contoso --name cmk --ops wrapKey unwrapKey',
    ],
    ['VaultNotFound', 'az keyvault recover --name contoso'],
    ['IdentityNotAuthorized', 'az ad sp create --id "$APPLICATION_ID"'],
  ])('the remedy of %s says what to type', (cause, command) => {
    expect(remedyOf(cause, at)).toContain(command);
  });

  it('the meaning of IdentityNotAuthorized names the application when the account has one', () => {
    const federatedIdentityClientId = 'cccccccc-0000-4000-8000-000000000001';
    const identity = {
      useSystemAssignedIdentity: false as const,
      userAssignedIdentity: '/subscriptions/s/x/a',
      federatedIdentityClientId,
      tenantId: 'aaaaaaaa-0000-4000-8000-000000000001',
    };
    expect(remedyOf('IdentityNotAuthorized', { ...at, identity })).toContain(`--id ${federatedIdentityClientId};`);
  });
});

describe('the status of an answer', () => {
  it.each<[number, ErrorCode[]]>([
    [400, ['InvalidRequestContent', 'InvalidParameter', 'PropertyNotChangeable']],
    [
      400,
      ['KeyDisabled', 'KeyNotFound', 'KeyPermissionDenied', 'VaultNotFound', 'VaultFirewallDenied', 'TenantMismatch'],
    ],
    [400, ['KeyIdentifierMalformed', 'VaultHostNotAllowed', 'KeyTypeUnsupported', 'KeyExpired', 'RegionMismatch']],
    [401, ['AuthenticationFailed']],
    [403, ['AuthorizationFailed', 'CustomerKeyInaccessible', 'OwnerMismatch']],
    [404, ['AccountNotFound', 'NotFound']],
    [409, ['Conflict']],
    [412, ['PreconditionFailed']],
    [413, ['RequestTooLarge']],
    [500, ['InternalError', 'KeyMaterialMismatch']],
    [503, ['CustomerKeyUnreachable', 'ServiceUnavailable', 'StorageUnavailable']],
  ])('the status %i belongs to %j', (status, codes) => {
    expect(codes.map(statusOf)).toEqual(codes.map(() => status));
  });

  it.each(designCauses.unreachable)('INV-2: the status of %s is 503, never 403', (cause) => {
    expect(statusOf(cause)).toBe(503);
  });

  it.each(causes)('the code %s has a status', (cause) => {
    expect([400, 403, 500, 503]).toContain(statusOf(cause));
  });
});

describe('a lost race', () => {
  it('a lost race is run again until it is won', async () => {
    let tries = 0;
    const won = await retryLostRaces(async () => {
      if (++tries < 5) throw new LostRace();
      return tries;
    });
    expect(won).toBe(5);
  });

  it('five lost races in a row end with an error that asks for a later retry', async () => {
    let tries = 0;
    const lost = retryLostRaces(async () => {
      tries++;
      throw new LostRace();
    });
    await expect(lost).rejects.toMatchObject({ name: 'Unavailable', code: 'ServiceUnavailable', retryAfterSeconds: 2 });
    expect(tries).toBe(5);
  });

  it('only a lost race is run again, no other error', async () => {
    let tries = 0;
    const failing = retryLostRaces(async () => {
      tries++;
      throw new Refusal('Conflict', 'x');
    });
    await expect(failing).rejects.toBeInstanceOf(Refusal);
    expect(tries).toBe(1);
  });
});

describe('INV-9: an error in a log', () => {
  it.each<[unknown, string]>([
    [new Refusal('KeyIdentifierMalformed', 'https://secret'), 'Refusal KeyIdentifierMalformed'],
    [new Unavailable('CustomerKeyUnreachable', 'secret', 5), 'Unavailable CustomerKeyUnreachable'],
    [new TypeError('secret'), 'TypeError'],
    ['secret', 'unknown'],
    [undefined, 'unknown'],
  ])('INV-9: the log shows %o as %s, without text of another system', (error, logged) => {
    expect(describeError(error)).toBe(logged);
  });
});
