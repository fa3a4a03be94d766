/** Properties of another contract. The account retains them as received and returns them (docs/ams.md). */
import canonicalize from 'canonicalize';
import { Refusal } from '../base/errors.ts';
import type { PassthroughProperties } from './account.ts';

/** A table property holds 32 Ki characters, and the whole account is in one. */
const maxKeptLength = 8192;

/** @throws Refusal InvalidRequestContent */
export function boundedKept(kept: PassthroughProperties): PassthroughProperties {
  if (JSON.stringify(kept).length <= maxKeptLength) return kept;
  throw new Refusal(
    'InvalidRequestContent',
    `The properties without a meaning to Keyward have at most ${maxKeptLength} characters as JSON, all together.`,
    { target: 'properties' },
  );
}

/** The same object when nothing changes. @throws Refusal InvalidRequestContent */
export function keptAfter(
  kept: PassthroughProperties | undefined,
  input: PassthroughProperties | undefined,
): PassthroughProperties | undefined {
  const next = { ...kept, ...input };
  return canonicalize(next) === canonicalize(kept ?? {}) ? kept : boundedKept(next);
}
