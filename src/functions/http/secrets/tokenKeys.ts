/** Symmetric keys that validate tokens. */
import * as z from 'zod';
import { base64 } from '../../../core/base/bytes.ts';
import { parseTokenKey } from '../../../core/secrets/secretValues.ts';
import { orAbsent } from '../../pipeline/lenientInput.ts';
import { parsed } from '../../pipeline/requestBody.ts';
import { resource, secretName } from './secretJson.ts';
import { type SecretApi, secretRoutes } from './secrets.ts';

const keyValue = z.string().max(2000).meta({ contentEncoding: 'base64', description: '1 to 1,024 bytes.' });
const example = { keyValue: '5tHxPYp6JQ3dqYRz0gBv2Q==' };

const tokenKey = z
  .strictObject({ ...resource, properties: orAbsent(z.strictObject({ keyValue: orAbsent(keyValue) })) })
  .meta({
    id: 'TokenKeyInput',
    description: 'When keyValue is absent, an existing key keeps its value.',
    examples: [{ properties: example }],
  });

const api: SecretApi = {
  kind: 'tokenKeys',
  parameter: 'name',
  parse(body) {
    const { keyValue } = parsed(tokenKey, body).properties ?? {};
    const target = 'properties.keyValue';
    return { value: keyValue === undefined ? { needed: target } : { given: parseTokenKey(keyValue, target) } };
  },
  shown: () => ({}),
  revealed: (plain) => ({ keyValue: base64(plain) }),
  schemas: {
    noun: 'TokenKey',
    called: 'a token key',
    name: secretName,
    nameExample: 'player',
    body: tokenKey,
    shown: {},
    readExample: {},
    revealed: { keyValue },
    revealedExample: example,
  },
};

export const tokenKeyRoutes = secretRoutes(api);
