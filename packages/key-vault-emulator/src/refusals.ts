/**
 * The exact error bodies of the service, each with its source.
 */
import type { Answers } from './answers.ts';
import type { Caller, Refusal } from './errors.ts';

type Where = { name: string; location: string };

function callerLine(caller: Caller): string {
  return `appid=${caller.appid};oid=${caller.oid};iss=${caller.iss}`;
}

const help = (link: number) =>
  `For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=${link}`;

// 401: azure-sdk-for-net session records (AKV10000), Key Vault docs general/rest-error-codes (AKV10022, AKV10032),
// azure-sdk-for-go challenge policy tests (BearerReadAccessTokenFailed).

const unauthorized = (message: string): Refusal => ({ status: 401, code: 'Unauthorized', message });

export const missingToken = () => unauthorized('AKV10000: Request is missing a Bearer or PoP token.');
export const unreadableToken = () => unauthorized("[BearerReadAccessTokenFailed] Error validating token: 'S2S12005'.");
export const expiredToken = () => unauthorized("[TokenExpired] Error validating token: 'S2S12086'.");
export const wrongAudience = (expected: string, found: string) =>
  unauthorized(`AKV10022: Invalid audience. Expected ${expected}, found: ${found}.`);
export const wrongIssuer = (expected: string, found: string) =>
  unauthorized(`AKV10032: Invalid issuer. Expected one of ${expected}, found ${found}.`);

// 403 of the network rules: hashicorp/terraform-provider-azurerm #20742, azure-docs container-apps troubleshooting,
// Azure DevOps docs (azure-key-vault task).

const forbidden = (inner: string | undefined, message: string): Refusal => ({
  status: 403,
  code: 'Forbidden',
  message,
  inner,
});

function networkRefusal(inner: string, first: string, caller: Caller, vault: Where, address: string): Refusal {
  return forbidden(
    inner,
    `${first}\r\nClient address: ${address}\r\nCaller: ${callerLine(caller)}\r\nVault: ${vault.name};location=${vault.location}`,
  );
}

export const byFirewall = (caller: Caller, vault: Where, address: string) =>
  networkRefusal(
    'ForbiddenByFirewall',
    'Client address is not authorized and caller is not a trusted service.',
    caller,
    vault,
    address,
  );

/** The perimeter's refusal has the firewall's inner code; only the message differs. */
export const byPerimeter = (caller: Caller, vault: Where, address: string) =>
  networkRefusal(
    'ForbiddenByFirewall',
    'Request was not allowed by NSP rules and the client address is not authorized and caller was ignored because bypass is set to None',
    caller,
    vault,
    address,
  );

export const byConnection = (caller: Caller, vault: Where) =>
  forbidden(
    'ForbiddenByConnection',
    `Public network access is disabled and request is not from a trusted service nor via an approved private link.\r\nCaller: ${callerLine(caller)}\r\nVault: ${vault.name};location=${vault.location}`,
  );

// 403 of permissions: azureossd.github.io and Key Vault docs general/rest-error-codes; az CLI #32719 for Managed HSM.

export function byRbac(caller: Caller, vault: Where, action: string, resource: string): Refusal {
  const lines = [
    'Caller is not authorized to perform action on resource.',
    'If role assignments, deny assignments or role definitions were changed recently, please observe propagation time.',
    `Caller: ${callerLine(caller)}`,
    `Action: '${action}'`,
    `Resource: '${resource}'`,
    'Assignment: (not found)',
    'DenyAssignmentId: null',
    "DecisionReason: 'DeniedWithNoValidRBAC' ",
    `Vault: ${vault.name};location=${vault.location}`,
    '',
  ];
  return forbidden('ForbiddenByRbac', lines.join('\r\n'));
}

export const byManagedHsmRole = (action: string, scope: string, activityId: string) =>
  forbidden('AccessDenied', `Not authorized to access ${action} on ${scope} (Activity ID: ${activityId})`);

export const byAccessPolicy = (inner: string, caller: Caller, vault: Where, permission: string) =>
  forbidden(
    inner,
    `The user, group or application '${callerLine(caller)}' does not have keys ${permission} permission on key vault '${vault.name};location=${vault.location}'. ${help(2125287)}`,
  );

// 403 of the key itself: azure-sdk-for-python #45342 (disabled), smallstep azurekms (KeyNotYetValid),
// TROUBLESHOOTING.md of the .NET, Java and Go SDKs (KeyOperationForbidden).

export const keyDisabled = (operation: string) =>
  forbidden('KeyDisabled', `Operation ${operation} is not allowed on a disabled key.`);
export const keyNotYetValid = (operation: string) =>
  forbidden('KeyNotYetValid', `Operation ${operation} is not allowed on a key that is not yet valid.`);
export const keyExpired = (inner: string | null, operation: string) =>
  forbidden(inner ?? undefined, `Operation ${operation} is not allowed on an expired key.`);
export const operationNotPermitted = (operation: string) =>
  forbidden('KeyOperationForbidden', `Operation ${operation} is not permitted on this key.`);
export const purgeProtected = (vault: Where) =>
  forbidden(
    undefined,
    `Operation "purge" is not allowed because purge protection is enabled for this vault. Key Vault service will automatically purge it after the retention period has passed.\r\nVault: ${vault.name};location=${vault.location}`,
  );

// 404: azure-sdk-for-net session records, RecoverDeletedKeyNonExisting and GetDeletedKeyNonExisting.

export const keyNotFound = (name: string, version?: string): Refusal => ({
  status: 404,
  code: 'KeyNotFound',
  message: `A key with (name/id) ${version ? `${name}/${version}` : name} was not found in this key vault. If you recently deleted this key you may be able to recover it using the correct recovery command. ${help(2125182)}`,
});
export const deletedKeyNotFound = (name: string): Refusal => ({
  status: 404,
  code: 'KeyNotFound',
  message: `Deleted Key not found: ${name}`,
});

// 409: azure-sdk-for-cpp key_client_test.

const conflict = (inner: string, message: string): Refusal => ({ status: 409, code: 'Conflict', message, inner });

export const beingDeleted = (name: string) =>
  conflict('ObjectIsBeingDeleted', `Key ${name} is currently being deleted and cannot be re-created; retry later.`);
export const beingRecovered = (name: string) =>
  conflict('ObjectIsBeingRecovered', `Key ${name} is currently being recovered; retry later.`);
export const deletedButRecoverable = (name: string) =>
  conflict(
    'ObjectIsDeletedButRecoverable',
    `Key ${name} is currently in a deleted but recoverable state, and its name cannot be reused; in this state, the key can only be recovered or purged.`,
  );

// 501: the emulator's own, so that no answer that looks like the vault's misleads the reader.

export const notEmulated = (what: string) =>
  ({ status: 501, code: 'NotEmulated', message: `The Key Vault emulator does not have ${what}.` }) as const;

// 429: AzureSignTool #219, captured without a Retry-After header.

export const throttled = (retryAfterSeconds?: number | null): Refusal => ({
  status: 429,
  code: 'Throttled',
  message: 'Request was not processed because too many requests were received. Reason: VaultRequestTypeLimitReached',
  ...(retryAfterSeconds === undefined || retryAfterSeconds === null
    ? {}
    : { headers: { 'retry-after': String(retryAfterSeconds) } }),
});

// 400: azure-sdk-for-js #30125 for the undecryptable value.

export const badParameter = (message: string): Refusal => ({ status: 400, code: 'BadParameter', message });
export const invalidValue = () => badParameter('Property has invalid value\r\n');
export const notBase64url = (property: string) =>
  badParameter(`Content of '${property}' is not base64url.\r\nProperty '${property}' is required.\r\n`);
export const undecryptable = (which: Answers['undecryptable']) =>
  badParameter(
    which === 'oaep'
      ? 'Error occurred while decoding OAEP padding.'
      : 'Unable to decrypt specified value with this key',
  );
