/**
 * The bodies that clients of Azure Media Services write about transforms and jobs. Encoding settings hold no secret in
 * the contract, so Keyward stores them unchanged but refuses what looks like a secret. It reads inputs field by field,
 * because URLs are credentials.
 */
import * as z from 'zod';
import { readOnly } from '../http/secrets/secretJson.ts';
import { contentsOf, tooDeep } from './names.ts';

const text = z.string().max(4000);
const type = <T extends string>(name: T) => z.literal(`#Microsoft.Media.${name}` as const);

/** The contract has no such names here, so a caller that writes one means a secret. */
export const secretName =
  /passw|secret|token|credential|privatekey|accountkey|apikey|sharedaccess|signature|connectionstring|^sas|sas$|ur[il]s?$|^(sig|keys?|auth|authorization)$/i;

/** An address or its query string can hold a credential. */
const secretText = /:\/\/|(^|[?&;])(sig|signature|x-amz-[a-z-]+|accountkey|sharedaccess[a-z]*|token|password|pwd)=/i;

/** Encoding settings, as JSON that Keyward stores unchanged. */
const settings = z.record(z.string(), z.unknown()).superRefine((value, { addIssue }) => {
  const contents = contentsOf(value);
  const flaw =
    contents === undefined
      ? tooDeep
      : contents.names.some((name) => secretName.test(name))
        ? 'This has the name of a secret. Encoding settings hold no secrets: remove it.'
        : contents.texts.some((text) => secretText.test(text))
          ? 'This holds an address or a signature, which can be credentials. Write addresses in JobInputHttp only.'
          : undefined;
  if (flaw !== undefined) addIssue({ code: 'custom', message: flaw });
});

const resource = { id: readOnly, name: readOnly, type: readOnly, systemData: readOnly } as const;

const outputs = z
  .array(
    z.strictObject({
      onError: z.string().max(64).nullish(),
      relativePriority: z.string().max(64).nullish(),
      preset: settings,
    }),
  )
  .min(1)
  .max(50);

const transformWith = <O extends z.ZodType>(outputsOf: O) =>
  z.strictObject({
    ...resource,
    properties: z.strictObject({
      created: readOnly,
      lastModified: readOnly,
      description: text.nullish(),
      outputs: outputsOf,
    }),
  });

export const transformBody = transformWith(outputs);
export const transformChange = transformWith(outputs.optional());

const clipTime = z.strictObject({ '@odata.type': text, time: text }).nullish();

/** Names of files in an asset, and no addresses. */
const fileName = text.refine(
  (name) => !name.includes('://') && !name.includes('?'),
  'A file of an asset must be a name, not a URL.',
);

/** Which tracks, and of which file when it names one (InputFile). */
const inputDefinition = settings.refine(
  ({ filename }) => fileName.nullish().safeParse(filename).success,
  'A filename must be a name, not a URL.',
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

const ofService = {
  created: readOnly,
  state: readOnly,
  lastModified: readOnly,
  startTime: readOnly,
  endTime: readOnly,
} as const;
const priority = z.string().max(64).nullish();

export const jobBody = z.strictObject({
  ...resource,
  properties: z.strictObject({
    ...ofService,
    description: text.nullish(),
    input,
    outputs: z.array(settings).min(1).max(50),
    priority,
    correlationData: z.record(z.string().max(260), text).nullish(),
  }),
});

/** Description and priority can change. Clients send the rest as they have read it. */
export const jobChange = z.strictObject({
  ...resource,
  properties: z.strictObject({
    ...ofService,
    description: text.nullish(),
    priority,
    input: readOnly,
    outputs: readOnly,
    correlationData: readOnly,
  }),
});
