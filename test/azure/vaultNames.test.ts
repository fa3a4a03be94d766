import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AliasAnswer, createVaultNames, dnsAliases, emulatedAliases } from '../../src/azure/vaultNames.ts';

describe('INV-2: the second proof that a vault is gone', () => {
  const answers: readonly AliasAnswer[] = ['alias', 'nameWithoutAlias', 'noSuchName', 'noAnswer'];
  const all = answers.flatMap((asked) => answers.map((known) => [asked, known] as const));

  it.each(all)(
    'INV-2: the second proof with the vault’s name %s and the operator’s vault’s name %s',
    async (asked, known) => {
      const names = createVaultNames(async (host) => (host === 'operator' ? known : asked), 'operator');
      expect(await names.isGone('contoso')).toBe(asked === 'noSuchName' && known === 'alias');
    },
  );
});

/** RFC 1035, 4.1: response codes, and the type of an alias. */
const [serverFailure, nameError, cname] = [2, 3, 5];

/** A resolver on this machine that answers each name in one way. */
describe('a query for an alias', () => {
  let server: Socket;
  let queries = 0;
  beforeAll(async () => {
    server = createSocket('udp4', (query, from) => {
      queries += 1;
      const [name] = /\w+/.exec(query.subarray(13).toString('latin1')) ?? [''];
      const reply = replyTo(query, name);
      if (reply !== undefined) server.send(reply, from.port, from.address);
    });
    server.bind(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterAll(() => server.close());
  const lookUp = (host: string) => dnsAliases([`127.0.0.1:${server.address().port}`])(host);

  it.each<[string, AliasAnswer]>([
    ['live.vault.azure.net', 'alias'],
    ['plain.vault.azure.net', 'nameWithoutAlias'],
    ['gone.vault.azure.net', 'noSuchName'],
    ['failing.vault.azure.net', 'noAnswer'],
    ['silent.vault.azure.net', 'noAnswer'],
  ])('a query for the alias of %s returns %s', async (host, expected) => {
    expect(await lookUp(host)).toBe(expected);
    expect(queries).toBeGreaterThan(0);
  });

  it('a query without a resolver that answers returns noAnswer', async () => {
    expect(await dnsAliases(['127.0.0.1:1'])('live.vault.azure.net')).toBe('noAnswer');
    expect(await emulatedAliases('http://127.0.0.1:1')('live.vault.azure.net')).toBe('noAnswer');
  });
});

function replyTo(query: Buffer, name: string): Buffer | undefined {
  if (name === 'silent') return undefined;
  const question = query.subarray(12, query.indexOf(0, 12) + 5);
  const header = Buffer.from(query.subarray(0, 12));
  const code = { failing: serverFailure, gone: nameError }[name] ?? 0;
  header.writeUInt16BE(0x8180 | code, 2);
  header.writeUInt16BE(name === 'live' ? 1 : 0, 6);
  header.fill(0, 8);
  if (name !== 'live') return Buffer.concat([header, question]);
  const target = Buffer.from('\u0004data\u0005azure\u0003net\0', 'latin1');
  const answer = Buffer.from([0xc0, 12, 0, cname, 0, 1, 0, 0, 0, 60, 0, target.length]);
  return Buffer.concat([header, question, answer, target]);
}
