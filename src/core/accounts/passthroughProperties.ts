/** Properties of another contract, kept on the account as they came and shown again (docs/ams.md). */
import canonicalize from 'canonicalize';
import { Refusal } from '../base/errors.ts';
import type { Kept } from './account.ts';

/** A table property holds 32 Ki characters, and the whole account stands in one. */
const maxKeptLength = 8192;

/** @throws Refusal InvalidRequestContent */
export function boundedKept(kept: Kept): Kept {
  if (JSON.stringify(kept).length <= maxKeptLength) return kept;
  throw new Refusal(
    'InvalidRequestContent',
    `The properties that are kept as they came have at most ${maxKeptLength} characters as JSON, all together.`,
    { target: 'properties' },
  );
}

/** The same object where nothing changes. @throws Refusal InvalidRequestContent */
export function keptAfter(kept: Kept | undefined, wish: Kept | undefined): Kept | undefined {
  const next = { ...kept, ...wish };
  return canonicalize(next) === canonicalize(kept ?? {}) ? kept : boundedKept(next);
}
