/** Symmetric keys that tokens are validated with. */
import * as z from 'zod';
import { base64 } from '../core/bytes.ts';
import { parseTokenKey } from '../core/secrets/values.ts';
import { parsed } from './http.ts';
import { resource } from './secretJson.ts';
import { type SecretApi, secretRoutes } from './secrets.ts';

const tokenKey = z.strictObject({
  ...resource,
  properties: z.strictObject({ keyValue: z.string().max(2000) }),
});

const api: SecretApi = {
  kind: 'tokenKeys',
  parameter: 'name',
  parse: (body) => ({
    value: { given: parseTokenKey(parsed(tokenKey, body).properties.keyValue, 'properties.keyValue') },
  }),
  told: () => ({}),
  revealed: (plain) => ({ keyValue: base64(plain) }),
};

export const tokenKeyRoutes = secretRoutes(api);
