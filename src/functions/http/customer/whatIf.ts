/** `POST /api/customer/whatIf`: which accounts stop when the customer changes a key, by when, and what to do first. */
import * as z from 'zod';
import { causes, meaningOf } from '../../../core/base/causes.ts';
import { parseKeyIdentifier, versionlessIdentifier } from '../../../core/customerKey/keyIdentifier.ts';
import { holdingsOf, keyInQuestion } from '../../../core/customerPage/holdings.ts';
import { ownKeysIn } from '../../../core/customerPage/ownKeys.ts';
import { acts, needsVersion, whatIf } from '../../../core/customerPage/whatIf.ts';
import type { RouteHandler } from '../../pipeline/call.ts';
import { count } from '../../pipeline/contractParts.ts';
import { parsed, readJson } from '../../pipeline/requestBody.ts';
import type { Route } from '../../pipeline/route.ts';
import { customer, linkOf } from './customerCall.ts';

const key = 'https://contoso-keys.vault.azure.net/keys/media';
const version = '2f1c0d9e8b7a46559483726150a1b2c3';

const body = z
  .strictObject({
    keyIdentifier: z
      .string()
      .min(1)
      .max(300)
      .meta({ examples: [key], description: 'With the version for disableVersion and letExpire.' }),
    act: z.enum(acts),
  })
  .meta({ id: 'CustomerWhatIf', examples: [{ keyIdentifier: `${key}/${version}`, act: 'disableVersion' }] });

const handler: RouteHandler = async (call) => {
  const { request, service } = call;
  const { owner } = linkOf(call);
  const { keyIdentifier, act } = parsed(body, await readJson(request));
  const identifier = parseKeyIdentifier(keyIdentifier, service.cloud);
  await service.overview.settled();
  const keys = await ownKeysIn(identifier.vaultHost, owner, service);
  const about = keyInQuestion(identifier, needsVersion(act), keys, service);
  const { holdings, isComplete } = await holdingsOf(keys, service);
  const { accounts, ...forecast } = whatIf(act, about, holdings, service.policy);
  return {
    status: 200,
    jsonBody: {
      ...forecast,
      meaning: meaningOf(forecast.cause),
      accounts: accounts.map(({ account: name, keyName, version, isPinned }) => ({
        name,
        key: versionlessIdentifier({ ...identifier, keyName }),
        version,
        isPinned,
      })),
      isComplete,
    },
  };
};

const account = z.strictObject({ name: z.string(), key: z.string(), version: z.string(), isPinned: z.boolean() });
const answer = z
  .strictObject({
    act: z.enum(acts),
    cause: z.enum(causes as [string, ...string[]]).meta({ description: 'The result of the key checks after it.' }),
    meaning: z.string(),
    effect: z.enum(['blocked', 'unavailable', 'none']).meta({
      description:
        'blocked: every call but reading, listing and deleting the account is refused. unavailable: calls that need the key answer 503. none: no account stops.',
    }),
    accounts: z.array(account).meta({ description: 'The accounts that stop.' }),
    isComplete: z.boolean().meta({ description: 'False: the vault has more accounts than one answer counts.' }),
    withinSeconds: count.optional().meta({ description: "From the vault's first refusal." }),
    keyReleasedWithinSeconds: count.optional().meta({
      description: 'No process and no client holds a usable key after this time.',
    }),
    first: z.array(z.string()).meta({ description: 'What to do before.' }),
    undo: z.string().optional(),
  })
  .meta({
    id: 'CustomerForecast',
    description: 'Nothing was changed.',
    examples: [
      {
        act: 'disableVersion',
        cause: 'KeyDisabled',
        meaning: meaningOf('KeyDisabled'),
        effect: 'blocked',
        accounts: [{ name: 'contoso-media', key, version, isPinned: false }],
        isComplete: true,
        withinSeconds: 96,
        keyReleasedWithinSeconds: 370,
        first: ['Create a new version: az keyvault key rotate --vault-name contoso-keys --name media'],
        undo: `Enable it again: az keyvault key set-attributes --vault-name contoso-keys --name media --version ${version} --enabled true`,
      },
    ],
  });

export const customerWhatIfRoute: Route = {
  ...customer,
  name: 'customerWhatIf',
  method: 'POST',
  path: 'customer/whatIf',
  handler,
  contract: {
    summary: 'What would happen if the customer changed a key or its vault',
    body,
    answers: { 200: answer },
  },
};
