/** Content keys: named by a UUID; given, or made here. */
import * as z from 'zod';
import { base64 } from '../core/bytes.ts';
import { parseContentKey } from '../core/secrets/values.ts';
import { parsed } from './http.ts';
import { label, readOnly, resource } from './secretJson.ts';
import { type SecretApi, secretRoutes } from './secrets.ts';

const contentKey = z.strictObject({
  ...resource,
  properties: z
    .strictObject({
      value: z.string().max(100).optional(),
      length: z.literal([16, 32]).optional(),
      labelReferenceInStreamingPolicy: label,
      ...{ id: readOnly, accountKeyGeneration: readOnly },
    })
    .optional(),
});

const api: SecretApi = {
  kind: 'contentKeys',
  parameter: 'id',
  parse(body) {
    const { value, length, labelReferenceInStreamingPolicy } = parsed(contentKey, body).properties ?? {};
    return {
      ...(labelReferenceInStreamingPolicy === undefined ? {} : { label: labelReferenceInStreamingPolicy }),
      value: value === undefined ? { ofLength: length } : { given: parseContentKey(value, 'properties.value') },
    };
  },
  told({ ref, value }) {
    return {
      id: ref.name,
      ...(value.label === undefined ? {} : { labelReferenceInStreamingPolicy: value.label }),
    };
  },
  revealed: (plain) => ({ value: base64(plain) }),
};

export const contentKeyRoutes = secretRoutes(api);
