/**
 * Closed lists of terms that records, logs, metrics and responses share. They stand below every capability, because the log
 * accepts nothing else as a field.
 */

export const ringNames = ['system', 'at-rest', 'audit'] as const;
export type RingName = (typeof ringNames)[number];

/** Phases of a ring's rotation. */
export type RingPhase = 'arriving' | 'moving' | 'retiring';

/** Whose key wraps a KEK: the ring's own, or the recovery key. */
export type WrappingRole = 'operator' | 'recovery';

/** Protected secrets that callers store. */
export type SecretKind = 'contentKeys' | 'jobInputs' | 'tokenKeys';

/** Calls on data keys. */
export const dataKeyOperations = ['generate', 'generateWithoutPlaintext', 'wrap', 'unwrap', 'rewrap'] as const;
export type DataKeyOperation = (typeof dataKeyOperations)[number];

export type WatchStatus = 'Accessible' | 'Suspect' | 'Inaccessible' | 'Unreachable';

/** What can be wrong with a link of an audit chain; audit/chainCheck.ts explains each. */
export type Flaw =
  | 'Missing'
  | 'Edited'
  | 'KeyUnknown'
  | 'Foreign'
  | 'OutOfOrder'
  | 'NotLinked'
  | 'HeadDiffers'
  | 'BeyondHead'
  | 'AnnouncedDiffers'
  | 'StateDamaged';
