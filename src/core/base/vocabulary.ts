/**
 * Closed lists of terms that records, logs, metrics and responses share. They belong to the lowest folder, because the
 * log accepts no other words as fields.
 */

export const ringNames = ['system', 'at-rest', 'audit'] as const;
export type RingName = (typeof ringNames)[number];

/** Phases of a ring's rotation. */
export type RingPhase = 'arriving' | 'moving' | 'retiring';

/** The key that wraps a KEK: the ring's own, or the recovery key. */
export type WrappingRole = 'operator' | 'recovery';

/** Protected secrets that callers store. */
export type SecretKind = 'contentKeys' | 'jobInputs' | 'tokenKeys';

/** Calls on data keys. */
export const dataKeyOperations = ['generate', 'generateWithoutPlaintext', 'wrap', 'unwrap', 'rewrap'] as const;
export type DataKeyOperation = (typeof dataKeyOperations)[number];

export type WatchStatus = 'Accessible' | 'Suspect' | 'Inaccessible' | 'Unreachable';

/** As answers and counts show it. `Unknown`: no look has renewed the verdict for too long. */
export type ShownStatus = WatchStatus | 'Unknown';

/** The possible flaws of a link of an audit chain; audit/chainCheck.ts explains each. */
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
  | 'StateDamaged'
  | 'SecretDiffers';
