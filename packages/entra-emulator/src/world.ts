/** The state that the endpoints share: the directory, the faults, and the settings that control calls change. */
import type { Directory } from './directory.ts';
import type { Faults } from './faults.ts';
import { type Grant, type Minted, mint } from './tokens.ts';

/** Milliseconds since 1970. */
export type EpochMs = number;

export type World = {
  directory: Directory;
  faults: Faults;
  /** Known once the server listens. */
  url: string;
  identityHeader: string;
  clock: () => EpochMs;
  clockOffsetMs: number;
  lifetimeSeconds: { msi: number; token: number };
  apiAudiences: Set<string>;
  refreshTokens: Map<string, { objectId: string; clientId: string }>;
  codes: Map<string, AuthorizationCode>;
};

export type AuthorizationCode = {
  objectId: string;
  clientId: string;
  redirectUri: string;
  /** SHA-256 of the verifier, base64url. */
  challenge: string;
  nonce: string | undefined;
  expiresAt: EpochMs;
};

export const nowOf = (world: World): EpochMs => world.clock() + world.clockOffsetMs;

export function mintFor(world: World, endpoint: 'msi' | 'token', grant: Grant): Promise<Minted> {
  const { url, apiAudiences } = world;
  return mint(grant, { url, apiAudiences, now: nowOf(world), lifetimeSeconds: world.lifetimeSeconds[endpoint] });
}

/** The scope `https://vault.azure.net/.default` names the resource `https://vault.azure.net`. */
export const resourceOf = (scope: string) => scope.replace(/\/\.default$/, '');
