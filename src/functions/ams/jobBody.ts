/**
 * What clients of Azure Media Services write about transforms and jobs. Encoding settings hold no secret in the contract and are kept as
 * they came, but for what looks like one; inputs are taken field by field, because URLs are credentials.
 */
import * as z from 'zod';
import { readOnly } from '../http/secrets/secretJson.ts';
import { contentsOf, tooDeep } from './names.ts';

const text = z.string().max(4000);
const type = <T extends string>(name: T) => z.literal(`#Microsoft.Media.${name}` as const);

/** The contract has no such names here: a caller that writes one means a secret. */
export const secretName =
  /passw|secret|token|credential|privatekey|accountkey|apikey|sharedaccess|signature|connectionstring|^sas|sas$|ur[il]s?$|^(sig|keys?|auth|authorization)$/i;

/** An address can hold a credential, as can the query string of one. */
const secretText = /:\/\/|(^|[?&;])(sig|signature|x-amz-[a-z-]+|accountkey|sharedaccess[a-z]*|token|password|pwd)=/i;

/** JSON as it came, of encoding settings. */
const settings = z.record(z.string(), z.unknown()).superRefine((value, { addIssue }) => {
  const contents = contentsOf(value);
  const flaw =
    contents === undefined
      ? tooDeep
      : contents.names.some((name) => secretName.test(name))
        ? 'This holds a name that a secret would have: none is kept here.'
        : contents.texts.some((text) => secretText.test(text))
          ? 'This holds an address, or a signature: addresses can be credentials, and belong into JobInputHttp only.'
          : undefined;
  if (flaw !== undefined) addIssue({ code: 'custom', message: flaw });
});

const resource = { id: readOnly, name: readOnly, type: readOnly, systemData: readOnly } as const;

export const transformBody = z.strictObject({
  ...resource,
  properties: z.strictObject({
    created: readOnly,
    lastModified: readOnly,
    description: text.nullish(),
    outputs: z
      .array(
        z.strictObject({
          onError: z.string().max(64).nullish(),
          relativePriority: z.string().max(64).nullish(),
          preset: settings,
        }),
      )
      .min(1)
      .max(50),
  }),
});

const clipTime = z.strictObject({ '@odata.type': text, time: text }).nullish();

/** Of an asset: names of files, and no addresses. */
const fileName = text.refine(
  (name) => !name.includes('://') && !name.includes('?'),
  'A file of an asset is a name, not a URL.',
);

/** Of which file, where it says so (InputFile), and which tracks. */
const inputDefinition = settings.refine(
  ({ filename }) => fileName.nullish().safeParse(filename).success,
  'A filename is a name, not a URL.',
);

const clip = {
  label: z.string().max(260).nullish(),
  start: clipTime,
  end: clipTime,
  inputDefinitions: z.array(inputDefinition).max(100).nullish(),
};

const httpInput = z.strictObject({
  '@odata.type': type('JobInputHttp'),
  ...clip,
  baseUri: z.string().nullish(),
  files: z.array(z.string()).nullish(),
});

const assetInput = z.strictObject({
  '@odata.type': type('JobInputAsset'),
  ...clip,
  assetName: text,
  files: z.array(fileName).nullish(),
});
const clipInput = z.strictObject({ '@odata.type': type('JobInputClip'), ...clip, files: z.array(fileName).nullish() });
const sequence = z.strictObject({
  '@odata.type': type('JobInputSequence'),
  inputs: z
    .array(z.discriminatedUnion('@odata.type', [httpInput, assetInput, clipInput]))
    .max(100)
    .nullish(),
});
const inputs = z.strictObject({
  '@odata.type': type('JobInputs'),
  inputs: z
    .array(z.discriminatedUnion('@odata.type', [httpInput, assetInput, clipInput, sequence]))
    .max(100)
    .nullish(),
});

const input = z.discriminatedUnion('@odata.type', [httpInput, assetInput, clipInput, sequence, inputs]);

export type JobInput = z.infer<typeof input>;

export const jobBody = z.strictObject({
  ...resource,
  properties: z.strictObject({
    created: readOnly,
    state: readOnly,
    lastModified: readOnly,
    startTime: readOnly,
    endTime: readOnly,
    description: text.nullish(),
    input,
    outputs: z.array(settings).min(1).max(50),
    priority: z.string().max(64).nullish(),
    correlationData: z.record(z.string().max(260), text).nullish(),
  }),
});
