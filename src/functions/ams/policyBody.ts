/**
 * The bodies that clients of Azure Media Services write about a content key policy. This file names every field of the
 * contract that can hold a secret: Keyward protects a symmetric token key, requires that public keys are public, and
 * refuses the rest. It also refuses what is not in the contract, so that it stores nothing unknown.
 */
import { X509Certificate } from 'node:crypto';
import * as z from 'zod';
import { readOnly } from '../http/secrets/secretJson.ts';
import { contentsOf } from './names.ts';

const type = <T extends string>(name: T) => z.literal(`#Microsoft.Media.${name}` as const);
const text = z.string().max(4000);
const duration = z.string().max(64).nullish();
const count = z.number().int().nullish();

const bytesIn = (value: string): Buffer | undefined => {
  const bytes = Buffer.from(value, 'base64');
  return bytes.toString('base64') === value ? bytes : undefined;
};
const publicNumber = (most: number, what: string) =>
  z.string().refine((value) => {
    const length = bytesIn(value)?.length ?? 0;
    return length >= 1 && length <= most;
  }, `This must be the ${what} of a public key in base64, of at most ${most} bytes.`);

const pem = /^\s*-----BEGIN CERTIFICATE-----[\w+/=\s]+-----END CERTIFICATE-----\s*$/;

/**
 * The DER of exactly one certificate, in DER or PEM. `raw` differs from the bytes of a DER file that also holds a
 * private key, and the text of such a PEM file has more than the certificate.
 */
function derIn(bytes: Buffer): Buffer | undefined {
  try {
    const { raw } = new X509Certificate(bytes);
    return raw.equals(bytes) || pem.test(bytes.toString('latin1')) ? raw : undefined;
  } catch {
    return undefined;
  }
}

/** Azure Media Services took both forms, and returned DER. */
const certificate = z
  .string()
  .max(20_000)
  .transform((value, context) => {
    const bytes = bytesIn(value);
    const der = bytes === undefined ? undefined : derIn(bytes);
    if (der !== undefined) return der.toString('base64');
    const message =
      'This must be one X.509 certificate (DER or PEM, in base64) without a private key. A PFX file is refused.';
    context.addIssue({ code: 'custom', message });
    return z.NEVER;
  });

const tokenKey = z.discriminatedUnion('@odata.type', [
  z.strictObject({
    '@odata.type': type('ContentKeyPolicySymmetricTokenKey'),
    keyValue: z
      .string({
        error: 'The value of the key is missing. A GET does not return it; getPolicyPropertiesWithSecrets does.',
      })
      .max(2000),
  }),
  z.strictObject({
    '@odata.type': type('ContentKeyPolicyRsaTokenKey'),
    exponent: publicNumber(8, 'exponent'),
    modulus: publicNumber(1024, 'modulus'),
  }),
  z.strictObject({ '@odata.type': type('ContentKeyPolicyX509CertificateTokenKey'), rawBody: certificate }),
]);

const restriction = z.discriminatedUnion('@odata.type', [
  z.strictObject({ '@odata.type': type('ContentKeyPolicyOpenRestriction') }),
  z.strictObject({ '@odata.type': type('ContentKeyPolicyUnknownRestriction') }),
  z.strictObject({
    '@odata.type': type('ContentKeyPolicyTokenRestriction'),
    issuer: text,
    audience: text,
    primaryVerificationKey: tokenKey.nullish(),
    alternateVerificationKeys: z.array(tokenKey).max(20).nullish(),
    requiredClaims: z
      .array(z.strictObject({ claimType: text.nullish(), claimValue: text.nullish() }))
      .max(50)
      .nullish(),
    restrictionTokenType: z.string().max(32),
    openIdConnectDiscoveryDocument: text.nullish(),
  }),
]);

/** A Widevine template can contain the content key itself (`content_key_specs[].key`) and tokens of a session. */
const secretOfTemplate = /^(key|iv)$|token$/i;

const widevineTemplate = z
  .string()
  .max(16_000)
  .refine((template) => {
    try {
      const parsed: unknown = JSON.parse(template);
      // No code would inspect JSON inside a string of JSON.
      if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return false;
      return contentsOf(parsed)?.names.every((name) => !secretOfTemplate.test(name)) ?? false;
    } catch {
      return false;
    }
  }, 'A Widevine template must be a JSON object without keys and tokens: content keys belong to streaming locators.');

const playRight = z.strictObject({
  firstPlayExpiration: duration,
  scmsRestriction: count,
  agcAndColorStripeRestriction: count,
  explicitAnalogTelevisionOutputRestriction: z
    .strictObject({ bestEffort: z.boolean(), configurationData: z.number().int() })
    .nullish(),
  digitalVideoOnlyContentRestriction: z.boolean(),
  imageConstraintForAnalogComponentVideoRestriction: z.boolean(),
  imageConstraintForAnalogComputerMonitorRestriction: z.boolean(),
  allowPassingVideoContentToUnknownOutput: z.string().max(64),
  uncompressedDigitalVideoOpl: count,
  compressedDigitalVideoOpl: count,
  analogVideoOpl: count,
  compressedDigitalAudioOpl: count,
  uncompressedDigitalAudioOpl: count,
});

const playReadyLicense = z.strictObject({
  allowTestDevices: z.boolean(),
  securityLevel: z.string().max(64).nullish(),
  beginDate: duration,
  expirationDate: duration,
  relativeBeginDate: duration,
  relativeExpirationDate: duration,
  gracePeriod: duration,
  playRight: playRight.nullish(),
  licenseType: z.string().max(64),
  contentKeyLocation: z.discriminatedUnion('@odata.type', [
    z.strictObject({ '@odata.type': type('ContentKeyPolicyPlayReadyContentEncryptionKeyFromHeader') }),
    z.strictObject({
      '@odata.type': type('ContentKeyPolicyPlayReadyContentEncryptionKeyFromKeyIdentifier'),
      keyId: z.guid(),
    }),
  ]),
  contentType: z.string().max(64),
});

const fairPlay = z
  .looseObject({ '@odata.type': type('ContentKeyPolicyFairPlayConfiguration') })
  .refine(
    () => false,
    'FairPlay configurations are refused: this service cannot protect their secrets ask, certificate and password.',
  );

const configuration = z.discriminatedUnion('@odata.type', [
  z.strictObject({ '@odata.type': type('ContentKeyPolicyClearKeyConfiguration') }),
  z.strictObject({ '@odata.type': type('ContentKeyPolicyUnknownConfiguration') }),
  z.strictObject({ '@odata.type': type('ContentKeyPolicyWidevineConfiguration'), widevineTemplate }),
  z.strictObject({
    '@odata.type': type('ContentKeyPolicyPlayReadyConfiguration'),
    licenses: z.array(playReadyLicense).min(1).max(20),
    responseCustomData: text.nullish(),
  }),
  fairPlay,
]);

const options = z
  .array(z.strictObject({ policyOptionId: readOnly, name: text.nullish(), configuration, restriction }))
  .min(1)
  .max(30);

const bodyWith = <O extends z.ZodType>(optionsOf: O) =>
  z.strictObject({
    properties: z.strictObject({
      policyId: readOnly,
      created: readOnly,
      lastModified: readOnly,
      description: text.nullish(),
      options: optionsOf,
    }),
    id: readOnly,
    name: readOnly,
    type: readOnly,
    systemData: readOnly,
  });

export const wholePolicy = bodyWith(options);
export const policyChange = bodyWith(options.optional());
export type PolicyOption = z.infer<typeof options>[number];
