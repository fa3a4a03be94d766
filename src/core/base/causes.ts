/** Functions over causes. The table is in causeCatalogue.ts, and the remedies are in remedies.ts. */
import { type Cause, type CauseActor, type CauseClass, causeCatalogue, type DeniedCause } from './causeCatalogue.ts';

export type { Cause, CauseClass, DeniedCause, NetworkPolicyCause, UnusableKeyCause } from './causeCatalogue.ts';
export { meaningFor, remedyOf } from './remedies.ts';

export const causes = Object.keys(causeCatalogue) as readonly Cause[];

export const isCause = (word: string): word is Cause => Object.hasOwn(causeCatalogue, word);

export const classOf = (cause: Cause): CauseClass => causeCatalogue[cause].class;

/**
 * True when the vault gave no answer about the key, or when the fault is Keyward's own: leases then last through grace.
 */
export const isOutage = (cause: Cause): boolean =>
  causeCatalogue[cause].class === 'unreachable' || cause === 'IdentityReplaced';

export const isDenied = (cause: Cause): cause is DeniedCause => causeCatalogue[cause].class === 'denied';

export const meaningOf = (cause: Cause): string => causeCatalogue[cause].meaning;

/** Who must act. */
export const actorOf = (cause: Cause): CauseActor => causeCatalogue[cause].actor;
