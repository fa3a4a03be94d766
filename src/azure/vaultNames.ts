/**
 * The second proof that a vault is gone, which does not depend on Keyward's own DNS zones (facts: docs/runbook.md,
 * "VaultNotFound"). A live vault's public name is an alias. A private zone of Key Vault that lacks a vault hides the
 * target of the alias, and not the alias. So a vault is gone when its name has no alias, while the name of the
 * operator's own vault has one through the same resolver. Without that alias nothing is proven: the resolver can give
 * the same answer for all names.
 */
import { Resolver } from 'node:dns/promises';

export type AliasAnswer = 'alias' | 'nameWithoutAlias' | 'noSuchName' | 'noAnswer';
export type LookUpAlias = (host: string) => Promise<AliasAnswer>;

export interface VaultNames {
  /** Whether public DNS shows that there is no such vault. */
  isGone(host: string): Promise<boolean>;
}

export function createVaultNames(lookUp: LookUpAlias, knownHost: string): VaultNames {
  return {
    async isGone(host) {
      const [vault, known] = await Promise.all([lookUp(host), lookUp(knownHost)]);
      return vault === 'noSuchName' && known === 'alias';
    },
  };
}

const queryTimeoutMs = 1_500;

/** @param servers addresses of resolvers; absent: those of the machine */
export function dnsAliases(servers?: readonly string[]): LookUpAlias {
  const resolver = new Resolver({ timeout: queryTimeoutMs, tries: 1 });
  if (servers !== undefined) resolver.setServers(servers);
  return async (host) => {
    try {
      return (await resolver.resolveCname(host)).length > 0 ? 'alias' : 'nameWithoutAlias';
    } catch (error) {
      return answerOf(error instanceof Error && 'code' in error ? error.code : undefined);
    }
  };
}

/** Development only: the emulator has the public names of its vaults. */
export function emulatedAliases(emulatorUrl: string): LookUpAlias {
  return async (host) => {
    try {
      const response = await fetch(new URL(`/control/names/${host}`, emulatorUrl), {
        signal: AbortSignal.timeout(queryTimeoutMs),
      });
      const answer = (await response.json()) as { alias?: string; code?: string };
      return answer.alias === undefined ? answerOf(answer.code) : 'alias';
    } catch {
      return 'noAnswer';
    }
  };
}

/** Codes of c-ares (Node.js, "dns: error codes"). */
function answerOf(code: unknown): AliasAnswer {
  if (code === 'ENOTFOUND') return 'noSuchName';
  return code === 'ENODATA' ? 'nameWithoutAlias' : 'noAnswer';
}
