/** Properties of another contract. The account retains them as received and returns them (docs/ams.md). */
import canonicalize from 'canonicalize';
import { Refusal } from '../base/errors.ts';
import type { PassthroughProperties } from './account.ts';

/** A table property holds 32 Ki characters, and the whole account is in one. */
const maxLength = 8192;

/** @throws Refusal InvalidRequestContent */
export function boundedProperties(kept: PassthroughProperties): PassthroughProperties {
  if (JSON.stringify(kept).length <= maxLength) return kept;
  throw new Refusal(
    'InvalidRequestContent',
    `The properties without a meaning to Keyward have at most ${maxLength} characters as JSON, all together.`,
    { target: 'properties' },
  );
}

/** The same object when nothing changes. @throws Refusal InvalidRequestContent */
export function propertiesAfter(
  kept: PassthroughProperties | undefined,
  input: PassthroughProperties | undefined,
): PassthroughProperties | undefined {
  const next = { ...kept, ...input };
  return canonicalize(next) === canonicalize(kept ?? {}) ? kept : boundedProperties(next);
}
