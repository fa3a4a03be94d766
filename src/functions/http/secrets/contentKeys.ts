/** Content keys, named by a UUID. The caller supplies the value, or Keyward generates it. */

import * as z from 'zod';
import { base64 } from '../../../core/base/bytes.ts';
import { defined } from '../../../core/base/defined.ts';
import { parseContentKey } from '../../../core/secrets/secretValues.ts';
import { guid } from '../../pipeline/contractParts.ts';
import { orAbsent } from '../../pipeline/lenientInput.ts';
import { parsed } from '../../pipeline/requestBody.ts';
import { givenLabel, label, readOnly, resource } from './secretJson.ts';
import { type SecretApi, secretRoutes } from './secrets.ts';

const value = z.string().max(100).meta({ contentEncoding: 'base64', description: '16 or 32 bytes.' });
const id = '9d5d2b1e-6c1f-4f0a-8c53-4d9c1f6f0001';
const shown = { labelReferenceInStreamingPolicy: 'cenc-default' };
const revealed = { value: 'hJ5h5tHxPYp6JQ3dqYRz0g==' };

const contentKey = z
  .strictObject({
    ...resource,
    properties: orAbsent(
      z.strictObject({
        value: orAbsent(value),
        length: orAbsent(z.literal([16, 32])).meta({
          description: 'The length in bytes of a key that Keyward generates.',
        }),
        labelReferenceInStreamingPolicy: givenLabel,
        id: readOnly,
        accountKeyGeneration: readOnly,
      }),
    ),
  })
  .meta({
    id: 'ContentKeyInput',
    description: 'When absent, an existing key keeps its value.',
    examples: [{ properties: { length: 16, ...shown } }, { properties: revealed }],
  });

const api: SecretApi = {
  kind: 'contentKeys',
  parameter: 'id',
  parse(body) {
    const { value, length, labelReferenceInStreamingPolicy } = parsed(contentKey, body).properties ?? {};
    return {
      ...defined({ label: labelReferenceInStreamingPolicy }),
      value: value === undefined ? { ofLength: length } : { given: parseContentKey(value, 'properties.value') },
    };
  },
  shown({ ref, value }) {
    return {
      id: ref.name,
      ...defined({ labelReferenceInStreamingPolicy: value.label }),
    };
  },
  revealed: (plain) => ({ value: base64(plain) }),
  schemas: {
    noun: 'ContentKey',
    called: 'a content key',
    name: guid.meta({ examples: [id] }),
    nameExample: id,
    body: contentKey,
    shown: { id: guid, labelReferenceInStreamingPolicy: label },
    readExample: { id, ...shown },
    revealed: { value },
    revealedExample: revealed,
  },
};

export const contentKeyRoutes = secretRoutes(api);
