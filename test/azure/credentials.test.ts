import { describe, expect, it } from 'vitest';
import { readCredentialError } from '../../src/azure/credentials.ts';
import { recordCredentialError, recorded } from '../../src/azure/wireRecord.ts';

const named = (name: string, message: string): Error => Object.assign(new Error(message), { name });

describe('a credential error', () => {
  it.each<[string, unknown, object]>([
    [
      'a credential error is recorded with its AADSTS number',
      named(
        'AuthenticationRequiredError',
        "invalid_client: 700016 - AADSTS700016: Application 'x' was not found in t.",
      ),
      { name: 'Entra', aadsts: '700016' },
    ],
    [
      'INV-9: a credential error is recorded by its class alone, without its text',
      named('CredentialUnavailableError', 'ManagedIdentityCredential: Authentication failed. Message secret'),
      { name: 'CredentialUnavailableError' },
    ],
    ['that is no error has no class', 'secret', { name: 'unknown' }],
  ])('%s', (_, error, expected) => {
    expect(readCredentialError(error)).toEqual(expected);
  });

  it('a credential error is in the record of the call that it ended, and of no other', async () => {
    const [failed, other] = await Promise.all([
      recorded(async () => recordCredentialError({ name: 'CredentialUnavailableError' })),
      recorded(async () => 'fine'),
    ]);
    expect(failed.wire).toEqual({ credentialError: { name: 'CredentialUnavailableError' } });
    expect(other.wire).toEqual({});
    expect(() => recordCredentialError({ name: 'x' })).not.toThrow();
  });
});
