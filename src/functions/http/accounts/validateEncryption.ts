/**
 * `POST /api/accounts/{accountName}/validateEncryption`: the dry run of a change of key. Its body is that of PUT or
 * PATCH. The operator's dry runs, by account and by key, work in every state of an account.
 */
import * as z from 'zod';
import { validateKeyOf, validateKeyOfAccount } from '../../../core/accounts/operatorDryRun.ts';
import { maxWaitSeconds, validateEncryption } from '../../../core/accounts/validateEncryption.ts';
import { causes } from '../../../core/base/causes.ts';
import { defined } from '../../../core/base/defined.ts';
import { parseAccountName } from '../../../core/base/names.ts';
import { checkNames, checkResults } from '../../../core/customerKey/validationReport.ts';
import type { RouteHandler } from '../../pipeline/call.ts';
import { whoActs } from '../../pipeline/contractParts.ts';
import { orAbsent } from '../../pipeline/lenientInput.ts';
import { parsed, readJson } from '../../pipeline/requestBody.ts';
import type { Route } from '../../pipeline/route.ts';
import { accountBody, inputIn } from './accountInput.ts';
import { identity, identityOf } from './identityInput.ts';

const keyIdentifier = 'https://contoso-keys.vault.azure.net/keys/media';

const waitSeconds = orAbsent(z.number().min(0).max(maxWaitSeconds));
const body = accountBody.extend({ waitSeconds }).meta({
  id: 'EncryptionDryRun',
  description:
    'The body of PUT or PATCH. waitSeconds: how long Keyward repeats the checks while permission is missing.',
  examples: [
    { properties: { encryption: { type: 'CustomerKey', keyVaultProperties: { keyIdentifier } } }, waitSeconds: 30 },
  ],
});

const check = z.strictObject({
  name: z.enum(checkNames),
  result: z.enum(checkResults),
  cause: z.enum([...causes, 'KeyNearExpiry']).optional(),
  message: z.string(),
  seen: z.string().optional(),
  whoActs: whoActs.optional(),
  remedy: z.string().optional(),
});

export const validationAnswer = z.strictObject({ valid: z.boolean(), checks: z.array(check) }).meta({
  id: 'EncryptionValidation',
  description: 'Every check, in a fixed order; empty for the system key.',
  examples: [
    {
      valid: false,
      checks: [
        {
          name: 'region',
          result: 'fail',
          cause: 'RegionMismatch',
          seen: 'northeurope',
          message: 'The vault is in the region northeurope, and the account in westeurope.',
          whoActs: 'customer',
          remedy: 'Use a vault in westeurope.',
        },
      ],
    },
  ],
});

const handler: RouteHandler = async ({ request, service, owners }) => {
  const { waitSeconds = 0, ...input } = parsed(body, await readJson(request));
  const name = parseAccountName(request.params.accountName ?? '');
  return {
    status: 200,
    jsonBody: await validateEncryption(name, inputIn(input), waitSeconds, service, defined({ owners })),
  };
};

const validateEncryptionApi: Route = {
  name: 'accountsValidateEncryption',
  method: 'POST',
  path: 'accounts/{accountName}/validateEncryption',
  scope: 'account',
  role: 'Accounts.Read',
  handler,
  contract: {
    summary: 'Checks an encryption against the vault without changing anything',
    body,
    answers: { 200: validationAnswer },
  },
};

const waitOnly = z.strictObject({ waitSeconds }).meta({
  id: 'AccountDryRun',
  description: 'waitSeconds: how long to check again while permission is missing.',
  examples: [{}, { waitSeconds: 30 }],
});

const keyToValidate = z
  .strictObject({
    keyIdentifier: z
      .string()
      .min(1)
      .max(300)
      .meta({ examples: [keyIdentifier] }),
    identity: orAbsent(identity),
    owner: orAbsent(z.string().min(1).max(128)),
    location: orAbsent(z.string().min(1).max(90)),
    waitSeconds,
  })
  .meta({
    id: 'KeyDryRun',
    description:
      'Without identity: the system-assigned one. Without owner: the one that has claimed the vault. Without location: the region is not compared.',
    examples: [{ keyIdentifier }, { keyIdentifier, owner: 'contoso', location: 'westeurope' }],
  });

const ofAccount: RouteHandler = async ({ request, service }) => {
  const { waitSeconds: wait = 0 } = parsed(waitOnly, await readJson(request));
  const name = parseAccountName(request.params.accountName ?? '');
  return { status: 200, jsonBody: await validateKeyOfAccount(name, wait, service) };
};

const ofKey: RouteHandler = async ({ request, service }) => {
  const { waitSeconds: wait = 0, identity: named, ...key } = parsed(keyToValidate, await readJson(request));
  const input = { ...defined(key), identity: identityOf(named, 'identity') };
  return { status: 200, jsonBody: await validateKeyOf(input, wait, service) };
};

export const dryRunRoutes: readonly Route[] = [
  validateEncryptionApi,
  {
    name: 'operatorValidateAccount',
    method: 'POST',
    path: 'operator/accounts/{accountName}/validateEncryption',
    scope: 'operator',
    role: 'Keys.Operate',
    handler: ofAccount,
    contract: {
      summary: "Checks an account's key against its vault, in every state of the account",
      body: waitOnly,
      answers: { 200: validationAnswer },
    },
  },
  {
    name: 'operatorValidateKey',
    method: 'POST',
    path: 'operator/keys/validate',
    scope: 'operator',
    role: 'Keys.Operate',
    handler: ofKey,
    contract: {
      summary: 'Checks a key against its vault',
      body: keyToValidate,
      answers: { 200: validationAnswer },
    },
  },
];
