/**
 * Resources of another contract (Azure Media Services) that hold secrets: one row each in the account's partition. All
 * other properties are in the row as received. A secret is left out of the properties. The row names the protected
 * secret of the account that holds its value.
 */

import { defined } from '../base/defined.ts';
import { Refusal } from '../base/errors.ts';
import { fold } from '../base/names.ts';
import type { EpochMs } from '../base/time.ts';
import type { SecretKind } from '../base/vocabulary.ts';

const resourceTypes = ['streamingLocators', 'contentKeyPolicies', 'transforms', 'jobs'] as const;
export type ResourceType = (typeof resourceTypes)[number];

export interface ResourceRef {
  /** Folded. */
  readonly account: string;
  readonly type: ResourceType;
  /** Folded. */
  readonly name: string;
  /** The resource that contains this one, folded: the transform of a job. */
  readonly under?: string;
}

export type Json = Readonly<Record<string, unknown>>;
export type JsonPath = readonly (string | number)[];

export interface NamedSecret {
  readonly kind: SecretKind;
  readonly name: string;
  /** The path in the properties at which the secret was. */
  readonly at: JsonPath;
}

export interface ResourceRow {
  /** As written. */
  readonly name: string;
  /** The account's instance: a row that an earlier account of the name has left does not count. */
  readonly instanceId: string;
  readonly properties: Json;
  readonly secrets: readonly NamedSecret[];
  readonly createdAt: EpochMs;
  readonly updatedAt: EpochMs;
}

export const namesSecret = (
  row: ResourceRow | undefined,
  { kind, name }: Pick<NamedSecret, 'kind' | 'name'>,
): boolean => row?.secrets.some((one) => one.kind === kind && one.name === name) ?? false;

/** A table key has 512 characters. A job's key holds two names, in which `#` is written as three characters. */
const maxResourceNameLength = 200;
/** A table property holds 32 Ki characters: the properties, and up to 200 for each secret that is named. */
export const maxResourceLength = 20_000;
export const maxNamedSecrets = 50;

/** Azure Media Services, "Naming conventions": any character but these and control characters. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
const unfit = /[<>%&:\\?/*+.'\u0000-\u001f\u007f-\u009f]/;

/** The folded name. @throws Refusal InvalidParameter */
export function parseResourceName(text: string, target: string): string {
  if (isFit(text)) return fold(text);
  throw new Refusal(
    'InvalidParameter',
    `A name has 1 to ${maxResourceNameLength} characters in lower case, where # counts as three, and none of < > % & : \\ ? / * + . ' or a control character.`,
    { target },
  );
}

function isFit(text: string): boolean {
  const length = fold(text).replaceAll('#', '%23').length;
  return length >= 1 && length <= maxResourceNameLength && !unfit.test(text) && text.isWellFormed();
}

/** The resource that a secret was written for, as the secret names it. */
export const pathOfResource = ({ type, name, under }: ResourceRef): string =>
  [type, under, name].filter(Boolean).join(':');

/** The resource of such a path. Undefined for any other text: a writer of the table can put any text into a row. */
export function resourceAt(account: string, path: unknown): ResourceRef | undefined {
  const [head, ...parts] = String(path).split(':');
  const type = resourceTypes.find((one) => one === head);
  const [name = '', under, ...more] = parts.toReversed();
  if (type === undefined || parts.length === 0 || more.length > 0 || !parts.every(isFit)) return undefined;
  return { account, type, name, ...defined({ under }) };
}

export function resourceNotFound(ref: ResourceRef): Refusal {
  return new Refusal('NotFound', `The account '${ref.account}' has no such resource in ${ref.type}.`, {
    target: ref.type,
  });
}

/** The properties, with each value at the path of its secret. */
export function withAt(properties: Json, at: JsonPath, value: unknown): Json {
  const copy = structuredClone(properties) as Record<string | number, unknown>;
  let place = copy;
  for (const step of at.slice(0, -1)) place = place[step] as Record<string | number, unknown>;
  const last = at.at(-1);
  if (last !== undefined) place[last] = value;
  return copy;
}
