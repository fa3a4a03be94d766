/**
 * The checks between a verified token and the operation, in the order of the service; the first failed check decides.
 * Permission comes before existence, so that an answer does not reveal to a caller without permission which keys exist.
 * Key Vault docs, keys/about-keys-details ("Key attributes"): outside nbf and exp a key still decrypts and unwraps, and
 * a disabled key does nothing.
 */
import { randomUUID } from 'node:crypto';
import { needs, resourceId } from './authorize.ts';
import { isRsaAlgorithm, isSignatureAlgorithm } from './crypto.ts';
import type { Caller, Refusal } from './errors.ts';
import type { KeyVersion, Vault } from './model.ts';
import {
  badParameter,
  byAccessPolicy,
  byConnection,
  byFirewall,
  byManagedHsmRole,
  byPerimeter,
  byRbac,
  invalidValue,
  keyDisabled,
  keyExpired,
  keyNotFound,
  keyNotYetValid,
  notEmulated,
  operationNotPermitted,
} from './refusals.ts';
import { isCrypto, type Operation } from './routes.ts';

/** Everything that the checks read. */
export type Facts = {
  vault: Vault;
  caller: Caller;
  address: string;
  authorized: boolean;
  operation: Operation;
  key?: string | undefined;
  version?: string | undefined;
  apiVersion: string | null;
  /** The version that is meant, unless it is missing. */
  found?: KeyVersion | undefined;
  /** `alg` of a cryptographic operation. */
  alg?: unknown;
  /** Seconds since 1970. */
  now: number;
};

export type Check = (facts: Facts) => Refusal | undefined;

export function firstRefusal(facts: Facts): Refusal | undefined {
  for (const check of checksOf(facts.vault)) {
    const refusal = check(facts);
    if (refusal) return refusal;
  }
  return undefined;
}

function checksOf(vault: Vault): Check[] {
  const permissionAndExistence = [callerLacksPermission, apiVersionIsMissing, keyIsMissing];
  return [
    networkForbids,
    ...(vault.answers.existenceBeforePermission ? permissionAndExistence.toReversed() : permissionAndExistence),
    keyIsDisabled,
    keyIsOutsideItsTime,
    keyOpsForbid,
    algorithmDoesNotFit,
  ];
}

function networkForbids({ vault, caller, address }: Facts): Refusal | undefined {
  switch (vault.firewall) {
    case 'ok':
      return undefined;
    case 'ForbiddenByFirewall':
      return byFirewall(caller, vault, address);
    case 'NetworkSecurityPerimeter':
      return byPerimeter(caller, vault, address);
    case 'ForbiddenByConnection':
      return byConnection(caller, vault);
  }
}

function callerLacksPermission({ vault, caller, operation, key, authorized }: Facts): Refusal | undefined {
  if (authorized) return undefined;
  const { action, policy } = needs[operation];
  if (vault.authModel === 'policy') return byAccessPolicy(vault.answers.policyInnerCode, caller, vault, policy);
  if (vault.answers.rbacBody === 'managedhsm') {
    return byManagedHsmRole(action.replace('vaults', 'managedHsm'), `/keys/${key ?? ''}`, randomUUID());
  }
  return byRbac(caller, vault, action, resourceId(vault, key));
}

function apiVersionIsMissing({ apiVersion }: Facts): Refusal | undefined {
  if (!apiVersion) return badParameter('api-version must be specified');
  if (/^(7\.\d+|20\d\d-\d\d-\d\d)(-preview(\.\d+)?)?$/.test(apiVersion)) return undefined;
  return badParameter(
    `The specified version (${apiVersion}) is not recognized. Consider using the latest supported version (2025-07-01).`,
  );
}

const concernsLiveKey = new Set<Operation>([
  'get',
  'update',
  'rotate',
  'getrotationpolicy',
  'setrotationpolicy',
  'delete',
  'wrapkey',
  'unwrapkey',
  'encrypt',
  'decrypt',
  'sign',
]);

function keyIsMissing({ operation, key = '', version, found }: Facts): Refusal | undefined {
  return concernsLiveKey.has(operation) && found === undefined ? keyNotFound(key, version) : undefined;
}

/** The names of the operations as key_ops and messages write them. */
const operationNames = {
  wrapkey: 'wrapKey',
  unwrapkey: 'unwrapKey',
  encrypt: 'encrypt',
  decrypt: 'decrypt',
  sign: 'sign',
} as const;

function keyIsDisabled({ vault, operation, found }: Facts): Refusal | undefined {
  if (!isCrypto(operation) || found?.enabled !== false) return undefined;
  const wraps = operation === 'wrapkey' || operation === 'encrypt';
  return wraps && vault.answers.wrapOnDisabled === 'allowed' ? undefined : keyDisabled(operationNames[operation]);
}

function keyIsOutsideItsTime({ vault, operation, found, now }: Facts): Refusal | undefined {
  if (operation !== 'wrapkey' && operation !== 'encrypt' && operation !== 'sign') return undefined;
  if (found?.nbf !== undefined && now < found.nbf) return keyNotYetValid(operationNames[operation]);
  if (found?.exp !== undefined && now >= found.exp) {
    return keyExpired(vault.answers.expiredInnerCode, operationNames[operation]);
  }
  return undefined;
}

function keyOpsForbid({ operation, found }: Facts): Refusal | undefined {
  if (!isCrypto(operation) || found === undefined) return undefined;
  const name = operationNames[operation];
  return found.keyOps.includes(name) ? undefined : operationNotPermitted(name);
}

function algorithmDoesNotFit({ operation, found, alg }: Facts): Refusal | undefined {
  if (!isCrypto(operation) || found === undefined) return undefined;
  if (typeof alg !== 'string') return invalidValue();
  if (operation === 'sign' && !isSignatureAlgorithm(alg)) return notEmulated(`signatures of the type ${alg}`);
  if (operation !== 'sign' && !isRsaAlgorithm(alg)) return invalidValue();
  return found.kty.startsWith('RSA') ? undefined : badParameter('Key and algorithm are incompatible.');
}
