import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Refusal } from '../../src/core/base/errors.ts';
import {
  type Cloud,
  isKeyVaultHost,
  parseKeyIdentifier,
  versionedIdentifier,
} from '../../src/core/customerKey/keyIdentifier.ts';
import { anyText } from '../anyText.ts';

const target = 'properties.encryption.keyVaultProperties.keyIdentifier';
const hex32 = 'ee059b2bb5bc48398a53b168c6cdcb10';

/** The suffixes of each cloud: Key Vault docs, "About keys, secrets & certificates". */
const suffixes: Record<Cloud, string[]> = {
  public: ['.vault.azure.net', '.managedhsm.azure.net'],
  usgov: ['.vault.usgovcloudapi.net', '.managedhsm.usgovcloudapi.net'],
  china: ['.vault.azure.cn', '.managedhsm.azure.cn'],
};

function refusalOf(text: string, cloud: Cloud = 'public'): Refusal {
  try {
    parseKeyIdentifier(text, cloud);
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
  throw new Error(`accepted: ${text}`);
}

describe('a key identifier', () => {
  const contoso = { vaultHost: 'contoso.vault.azure.net', vaultName: 'contoso', keyName: 'cmk' };

  it.each<[string, string, object]>([
    ['without version, to follow the latest', 'https://contoso.vault.azure.net/keys/cmk', contoso],
    ['with version, pinned', `https://contoso.vault.azure.net/keys/cmk/${hex32}`, { ...contoso, version: hex32 }],
    [
      'in upper case',
      `HTTPS://CONTOSO.VAULT.AZURE.NET/keys/CMK/${hex32.toUpperCase()}`,
      { ...contoso, version: hex32 },
    ],
    [
      'of a Managed HSM',
      'https://c-1.managedhsm.azure.net/keys/k-1',
      { vaultHost: 'c-1.managedhsm.azure.net', vaultName: 'c-1', keyName: 'k-1' },
    ],
    [
      'with the shortest names',
      'https://abc.vault.azure.net/keys/k',
      { vaultHost: 'abc.vault.azure.net', vaultName: 'abc', keyName: 'k' },
    ],
    [
      'with the longest names',
      `https://${'a'.repeat(24)}.vault.azure.net/keys/${'k'.repeat(127)}`,
      { vaultHost: `${'a'.repeat(24)}.vault.azure.net`, vaultName: 'a'.repeat(24), keyName: 'k'.repeat(127) },
    ],
  ])('a key identifier is accepted %s', (_, text, parts) => {
    expect(parseKeyIdentifier(text, 'public')).toEqual({ text, ...parts });
  });

  it.each([
    ['a space', 'https://contoso keys.vault.azure.net/keys/cmk'],
    ['a line break', 'https://contoso-\nkeys.vault.azure.net/keys/cmk'],
    ['a full stop of full width', 'https://contoso\uff0ekeys.vault.azure.net/keys/cmk'],
    ['a middle dot', 'https://contoso\u00b7keys.vault.azure.net/keys/cmk'],
    ['a tab and no scheme', 'contoso\tkeys.vault.azure.net/keys/cmk'],
  ])('the refusal of a vault name with %s in it suggests no other vault', (_, text) => {
    expect(() => parseKeyIdentifier(text, 'public')).toThrow(/^(?!.*keys\.vault\.azure\.net)/s);
  });

  it('a key identifier is accepted with :443, which Azure PowerShell prints, and stored without it', () => {
    const text = `https://contoso.vault.azure.net/keys/cmk/${hex32}`;
    expect(parseKeyIdentifier(text.replace('.net/', '.net:443/'), 'public').text).toBe(text);
  });

  it.each<[string, string, RegExp]>([
    [
      'a line break at the end',
      'https://contoso.vault.azure.net/keys/cmk\n',
      /a line break \(U\+000A\) at position 41, the end/,
    ],
    [
      'a zero-width space',
      'https://contoso.vault.azure.net/keys/c\u200bmk',
      /a zero-width space \(U\+200B\) at position 39,/,
    ],
    ['a space before it', ' https://contoso.vault.azure.net/keys/cmk', /a space \(U\+0020\) at position 1,/],
    [
      'a dash of a word processor',
      'https://contoso\u2013keys.vault.azure.net/keys/cmk',
      /\(U\+2013\) at position 16,.*Send https:\/\/contoso-keys\.vault\.azure\.net\/keys\/cmk\./,
    ],
    ['https:// twice', 'https://https://contoso.vault.azure.net/keys/cmk', /holds https:\/\/ twice/],
    ['a letter that looks alike', 'https://contos\u043E.vault.azure.net/keys/cmk', /\(U\+043E\) at position 15,/],
    ['a trailing slash', 'https://contoso.vault.azure.net/keys/cmk/', /ends with a slash/],
    ['a version of 31 digits', `https://contoso.vault.azure.net/keys/cmk/${hex32.slice(1)}`, /has 31 characters/],
    [
      'a resource id',
      '/subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/vaults/contoso/keys/cmk',
      /resource id.*https:\/\/contoso\.vault\.azure\.net\/keys\/cmk\./,
    ],
    [
      'a resource id of a Managed HSM',
      '/subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/managedHSMs/contoso/keys/cmk',
      /https:\/\/contoso\.managedhsm\.azure\.net\/keys\/cmk\./,
    ],
    [
      'the resource id of a vault',
      '/subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/vaults/contoso',
      /resource id of a vault.*https:\/\/contoso\.vault\.azure\.net\/keys\//,
    ],
    [
      'a certificate',
      `https://contoso.vault.azure.net/certificates/tls/${hex32}`,
      /certificate.*https:\/\/contoso\.vault\.azure\.net\/keys\/tls\./,
    ],
    ['a secret', 'https://contoso.vault.azure.net/secrets/s', /identifier of a secret/],
    [
      'an address of the portal',
      'https://portal.azure.com/#@contoso.com/asset/Microsoft_Azure_KeyVault/Key/https://contoso.vault.azure.net/keys/cmk',
      /Azure portal\. Send https:\/\/contoso\.vault\.azure\.net\/keys\/cmk\./,
    ],
    [
      'the address of a vault in the portal',
      'https://portal.azure.com/#@contoso.com/resource/subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/vaults/contoso/keys',
      /Azure portal\. Send the field 'Key Identifier'/,
    ],
    [
      'a page of the portal under another host name',
      'https://ms.portal.azure.com/#@contoso.com/asset/Microsoft_Azure_KeyVault/Key/https://contoso.vault.azure.net/keys/cmk',
      /Azure portal\. Send https:\/\/contoso\.vault\.azure\.net\/keys\/cmk\./,
    ],
    [
      'a call of Azure Resource Manager',
      'https://management.azure.com/subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/vaults/contoso/keys/cmk?api-version=2023-07-01',
      /resource id.*https:\/\/contoso\.vault\.azure\.net\/keys\/cmk\./,
    ],
    [
      'the resource id of one version',
      `/subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/vaults/contoso/keys/cmk/versions/${hex32}`,
      new RegExp(`https://contoso\\.vault\\.azure\\.net/keys/cmk/${hex32}\\.`),
    ],
    [
      'the page of one version in the portal',
      `https://portal.azure.com/#@contoso.com/asset/Microsoft_Azure_KeyVault/Key/https://contoso.vault.azure.net/keys/cmk/${hex32}`,
      new RegExp(`Send https://contoso\\.vault\\.azure\\.net/keys/cmk/${hex32}\\.`),
    ],
    [
      'the recovery id of a deleted key',
      'https://contoso.vault.azure.net/deletedkeys/cmk',
      /deleted key\. Recover the key, then send https:\/\/contoso\.vault\.azure\.net\/keys\/cmk\./,
    ],
    ['a vault with the default port and no key', 'https://contoso.vault.azure.net:443', /names no key/],
    ['a vault name with two hyphens in a row', 'https://con--toso.vault.azure.net/keys/cmk', /single hyphens/],
    [
      'two identifiers, of which neither is chosen',
      'https://contoso.vault.azure.net/keys/a https://contoso.vault.azure.net/keys/b',
      /^(?!.* Send ).*a space \(U\+0020\) at position 39/,
    ],
    [
      'a key name with an underscore',
      'https://contoso.vault.azure.net/keys/my_key',
      /holds '_' \(U\+005F\) at position 3/,
    ],
    [
      'a version with a wrong letter',
      `https://contoso.vault.azure.net/keys/cmk/g${hex32.slice(1)}`,
      /holds 'g' \(U\+0067\) at position 1/,
    ],
    ['a quoted identifier', '"https://contoso.vault.azure.net/keys/cmk"', /has it at position 2/],
  ])('KeyIdentifierMalformed says what or where the fault of %s is', (_, text, sentence) => {
    expect(refusalOf(text).message).toMatch(sentence);
  });

  const meant = 'https://contoso.vault.azure.net/keys/cmk';
  it.each([
    `"${meant}"`,
    `'${meant}'`,
    `<${meant}>`,
    `\u201c${meant}\u201d`,
    `\ufeff${meant}`,
    `\u00a0${meant}\u00a0`,
    `${meant}\n`,
    `{"kid":"${meant}"}`,
    `[key](${meant})`,
    `${meant},`,
    `${meant}/`,
    `${meant}?api-version=7.4`,
    `${meant}#overview`,
    meant.replace('https', 'http'),
    meant.replace('https://', ''),
    meant.replace('https://', 'https:/'),
    meant.replace('/keys', '//keys'),
    meant.replace('/keys', '/KEYS'),
    meant.replaceAll('/', '\\'),
    meant.replace('cmk', 'c\u200bmk'),
    encodeURIComponent(meant),
  ])('the refusal of %j shows the key identifier that was meant', (text) => {
    expect(refusalOf(text).message).toContain(`Send ${meant}.`);
  });

  it.each([
    meant.replace('contoso', '\u0441ontoso'),
    meant.replace('contoso', 'cont\u043eso'),
    `${meant}/${hex32.slice(1)}`,
    `${meant} and more`,
    `${meant}/${hex32}/wrapkey`,
    meant.replace('cmk', 'c mk'),
    meant.replace('cmk', 'cm\u212a'),
  ])('the refusal of %j shows no key identifier, because the text may mean another one', (text) => {
    expect(refusalOf(text).message).not.toContain('Send ');
  });

  it.each<[Cloud, string, RegExp]>([
    ['public', 'https://contoso.privatelink.vaultcore.azure.cn/keys/cmk', /cloud 'china'.*KEYWARD_CLOUD/],
    ['public', 'https://contoso.vaultcore.azure.net/keys/cmk', /contoso\.vault\.azure\.net,/],
    ['usgov', 'https://contoso.privatelink.managedhsm.usgovcloudapi.net/keys/cmk', /managedhsm\.usgovcloudapi\.net,/],
    ['public', 'https://contoso.vault.azure.cn/keys/cmk', /cloud 'china'.*KEYWARD_CLOUD/],
    ['china', 'https://contoso.vault.azure.net/keys/cmk', /cloud 'public'.*KEYWARD_CLOUD/],
    ['public', 'https://contoso.privatelink.vaultcore.azure.net/keys/cmk', /contoso\.vault\.azure\.net,/],
    ['public', 'https://contoso.privatelink.managedhsm.azure.net/keys/cmk', /contoso\.managedhsm\.azure\.net,/],
    ['china', 'https://contoso.privatelink.vaultcore.azure.cn/keys/cmk', /contoso\.vault\.azure\.cn,/],
    ['public', 'https://contoso.vault.azure.net./keys/cmk', /ends with a dot/],
  ])('VaultHostNotAllowed says in the cloud %s what the host %s is', (cloud, text, sentence) => {
    expect(refusalOf(text, cloud)).toMatchObject({ code: 'VaultHostNotAllowed' });
    expect(refusalOf(text, cloud).message).toMatch(sentence);
  });

  it('the refusal of a key identifier shows the form with the suffix of the configured cloud', () => {
    expect(refusalOf('https://contoso.vault.azure.cn/keys/k/', 'china').message).toContain(
      '<vault>.vault.azure.cn/keys/',
    );
    expect(refusalOf('https://contoso.vault.usgovcloudapi.net/keys/', 'usgov').message).toContain('usgovcloudapi.net');
  });

  it.each(Object.entries(suffixes).flatMap(([cloud, own]) => own.map((suffix) => [cloud as Cloud, suffix] as const)))(
    'INV-8: a key identifier of the cloud %s may end in %s, and in that of no other cloud',
    (cloud, suffix) => {
      const text = `https://contoso${suffix}/keys/cmk`;
      expect(parseKeyIdentifier(text, cloud).vaultHost).toBe(`contoso${suffix}`);
      for (const other of (['public', 'usgov', 'china'] as const).filter((name) => name !== cloud))
        expect(refusalOf(text, other).code).toBe('VaultHostNotAllowed');
    },
  );

  it.each([
    'https://evil.com/keys/cmk',
    'https://evil.com/.vault.azure.net/keys/cmk',
    'https://contoso.vault.azure.net.evil.com/keys/cmk',
    'https://contoso.vault.azure.net.evil.com/.vault.azure.net/keys/cmk',
    'https://a.b.vault.azure.net/keys/cmk',
    'https://contoso.privatelink.vaultcore.azure.net/keys/cmk',
    'https://contosovault.azure.net/keys/cmk',
    'https://contoso-vault.azure.net/keys/cmk',
    'https://vault.azure.net/keys/cmk',
    'https://.vault.azure.net/keys/cmk',
    'https://contoso..vault.azure.net/keys/cmk',
    'https://contoso.vault.azure.net./keys/cmk',
    'https://contoso.vault.azure.com/keys/cmk',
    'https://contoso%2evault.azure.net/keys/cmk',
    'https://contoso%2e%2e.vault.azure.net/keys/cmk',
    'https://xn--contso-dxa.vault.azure.net/keys/cmk',
    'https://con_toso.vault.azure.net/keys/cmk',
    'https://1contoso.vault.azure.net/keys/cmk',
    'https://-contoso.vault.azure.net/keys/cmk',
    'https://contoso-.vault.azure.net/keys/cmk',
    'https://ab.vault.azure.net/keys/cmk',
    `https://${'a'.repeat(25)}.vault.azure.net/keys/cmk`,
    'https://127.0.0.1/keys/cmk',
    'https://169.254.169.254/keys/cmk',
    'https://0x7f000001/keys/cmk',
    'https://localhost/keys/cmk',
    'https:/contoso.vault.azure.net/keys/cmk',
    'https:contoso.vault.azure.net/keys/cmk',
    'https:///contoso.vault.azure.net/keys/cmk',
    'https:/xcontoso.vault.azure.net/keys/cmk',
  ])('INV-8: a key identifier is refused for its host: %s', (text) => {
    expect(refusalOf(text)).toMatchObject({ code: 'VaultHostNotAllowed', extras: { target } });
  });

  it.each([
    ['empty', ''],
    ['no URL', 'contoso'],
    ['a bare host', 'contoso.vault.azure.net/keys/cmk'],
    ['without scheme', '//contoso.vault.azure.net/keys/cmk'],
    ['http', 'http://contoso.vault.azure.net/keys/cmk'],
    ['ftp', 'ftp://contoso.vault.azure.net/keys/cmk'],
    ['a file', 'file:///contoso.vault.azure.net/keys/cmk'],
    ['javascript', 'javascript:alert(1)//contoso.vault.azure.net/keys/cmk'],
    ['a port', 'https://contoso.vault.azure.net:8443/keys/cmk'],
    ['the default port behind a user', 'https://user@contoso.vault.azure.net:443/keys/cmk'],
    ['the default port without a path', 'https://contoso.vault.azure.net:443'],
    ['the default port twice', 'https://contoso.vault.azure.net:443:443/keys/cmk'],
    ['an empty port', 'https://contoso.vault.azure.net:/keys/cmk'],
    ['user information', 'https://user:secret@contoso.vault.azure.net/keys/cmk'],
    ['an empty user', 'https://@contoso.vault.azure.net/keys/cmk'],
    ['a vault as the user', 'https://contoso.vault.azure.net@evil.com/keys/cmk'],
    ['an escaped vault as the user', 'https://contoso.vault.azure.net%40evil.com@evil.com/keys/cmk'],
    ['a query', 'https://contoso.vault.azure.net/keys/cmk?api-version=7.4'],
    ['an empty query', 'https://contoso.vault.azure.net/keys/cmk?'],
    ['a query before the path', 'https://contoso.vault.azure.net?/keys/cmk'],
    ['a fragment', 'https://contoso.vault.azure.net/keys/cmk#v'],
    ['a fragment before the path', 'https://evil.com#.vault.azure.net/keys/cmk'],
    ['another collection', 'https://contoso.vault.azure.net/secrets/cmk'],
    ['certificates', `https://contoso.vault.azure.net/certificates/cmk/${hex32}`],
    ['the collection in upper case', 'https://contoso.vault.azure.net/Keys/cmk'],
    ['no path', 'https://contoso.vault.azure.net'],
    ['an empty path', 'https://contoso.vault.azure.net/'],
    ['no key', 'https://contoso.vault.azure.net/keys'],
    ['an empty key', 'https://contoso.vault.azure.net/keys/'],
    ['a trailing slash', 'https://contoso.vault.azure.net/keys/cmk/'],
    ['a slash behind the version', `https://contoso.vault.azure.net/keys/cmk/${hex32}/`],
    ['an extra segment', `https://contoso.vault.azure.net/keys/cmk/${hex32}/unwrapKey`],
    ['a double slash before the path', 'https://contoso.vault.azure.net//keys/cmk'],
    ['a double slash inside it', 'https://contoso.vault.azure.net/keys//cmk'],
    ['a double slash before the version', `https://contoso.vault.azure.net/keys/cmk//${hex32}`],
    ['dots that climb', 'https://contoso.vault.azure.net/keys/../keys/cmk'],
    ['a dot segment', 'https://contoso.vault.azure.net/./keys/cmk'],
    ['escaped dots', 'https://contoso.vault.azure.net/keys/%2e%2e'],
    ['an escaped slash', 'https://contoso.vault.azure.net/keys/cmk%2funwrapKey'],
    ['an escaped letter', 'https://contoso.vault.azure.net/keys/%63mk'],
    ['a key name with a dot', 'https://contoso.vault.azure.net/keys/c.mk'],
    ['a key name with an underscore', 'https://contoso.vault.azure.net/keys/c_mk'],
    ['a key name that is too long', `https://contoso.vault.azure.net/keys/${'k'.repeat(128)}`],
    ['a version that is too short', `https://contoso.vault.azure.net/keys/cmk/${hex32.slice(1)}`],
    ['a version that is too long', `https://contoso.vault.azure.net/keys/cmk/${hex32}0`],
    ['a version that is not hexadecimal', `https://contoso.vault.azure.net/keys/cmk/${hex32.slice(1)}g`],
    ['the word latest', 'https://contoso.vault.azure.net/keys/cmk/latest'],
    ['a space before it', ' https://contoso.vault.azure.net/keys/cmk'],
    ['a space behind it', 'https://contoso.vault.azure.net/keys/cmk '],
    ['a tab', 'https://con\ttoso.vault.azure.net/keys/cmk'],
    ['a newline', 'https://contoso.vault.azure.net/keys/cmk\n'],
    ['a newline in the host', 'https://evil.com\n.vault.azure.net/keys/cmk'],
    ['a null', 'https://contoso.vault.azure.net\0/keys/cmk'],
    ['a backslash', 'https://contoso.vault.azure.net\\keys\\cmk'],
    ['a backslash behind a foreign host', 'https://evil.com\\.vault.azure.net/keys/cmk'],
    ['letters that look alike', 'https://contos\u043E.vault.azure.net/keys/cmk'],
    ['an escaped null in the host', 'https://contoso.vault.azure.net%00.evil.com/keys/cmk'],
    ['an escaped slash in the host', 'https://evil.com%2f.vault.azure.net/keys/cmk'],
    ['an IPv6 address', 'https://[::1]/keys/cmk'],
    ['a letter that folds to ASCII', 'https://bun\u212Aer.vault.azure.net/keys/cmk'],
    ['a full stop that folds to a dot', 'https://contoso\u3002vault\u3002azure\u3002net/keys/cmk'],
    ['a soft hyphen', 'https://contoso.vault.azure\u00AD.net/keys/cmk'],
    ['a text without end', `https://contoso.vault.azure.net/keys/${'k'.repeat(100_000)}`],
  ])('a key identifier is refused as malformed: %s', (_, text) => {
    expect(refusalOf(text)).toMatchObject({ code: 'KeyIdentifierMalformed', extras: { target } });
  });

  it('INV-8: every text is refused as a key identifier, or rebuilt under the allow-list', () => {
    const piece = fc.constantFrom(
      'https://',
      'http://',
      'contoso',
      '.vault.azure.net',
      '.managedhsm.azure.net',
      '/keys/',
      'cmk',
      hex32,
      '/',
      '\\',
      '@',
      'evil.com',
      ':443',
      '?',
      '#',
      '%2e',
      '..',
      '\t',
      '.',
      '-',
      'A',
      '\u3002',
      '\u212A',
      'https:/',
      'https:',
    );
    const text = fc.oneof(
      anyText(310),
      fc.webUrl({ withFragments: true, withQueryParameters: true }),
      fc.array(piece, { maxLength: 9 }).map((pieces) => pieces.join('')),
      fc.tuple(piece, piece).map(([a, b]) => `https://contoso${a}.vault.azure.net/keys/cmk${b}`),
      fc.domain().map((domain) => `https://${domain}/keys/cmk`),
      fc.stringMatching(/^[a-z-]{1,5}$/).map((name) => `https://${name}.vault.azure.net/keys/${name}`),
    );
    let accepted = 0;
    fc.assert(
      fc.property(text, (identifier) => {
        let parts: ReturnType<typeof parseKeyIdentifier>;
        try {
          parts = parseKeyIdentifier(identifier, 'public');
        } catch (error) {
          expect(error).toBeInstanceOf(Refusal);
          expect((error as Refusal).extras.target).toBe(target);
          return;
        }
        accepted++;
        const rebuilt = new URL(versionedIdentifier(parts, hex32));
        expect(rebuilt.href).toBe(`https://${parts.vaultHost}/keys/${parts.keyName}/${hex32}`);
        expect(rebuilt.host).toMatch(/^[a-z][a-z0-9-]{1,22}[a-z0-9]\.(vault|managedhsm)\.azure\.net$/);
        expect(new URL(identifier).host).toBe(rebuilt.host);
      }),
      { numRuns: 3000 },
    );
    expect(accepted).toBeGreaterThan(50);
  });
});

describe('INV-8: the allow-list of hosts', () => {
  it.each<[string, Cloud, boolean]>([
    ['contoso.vault.azure.net', 'public', true],
    ['contoso.managedhsm.azure.net', 'public', true],
    ['contoso.vault.azure.cn', 'china', true],
    ['contoso.vault.usgovcloudapi.net', 'usgov', true],
    ['contoso.vault.azure.cn', 'public', false],
    ['contoso.vault.azure.net:443', 'public', false],
    ['contoso.vault.azure.net:8443', 'public', false],
    ['contoso.vault.azure.net.', 'public', false],
    ['a.contoso.vault.azure.net', 'public', false],
    ['vault.azure.net', 'public', false],
    ['', 'public', false],
    ['contoso.vault.azure.net\n', 'public', false],
    ['login.microsoftonline.com', 'public', false],
  ])('INV-8: host %j in the cloud %s: %s', (host, cloud, allowed) => {
    expect(isKeyVaultHost(host, cloud)).toBe(allowed);
  });
});
