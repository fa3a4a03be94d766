/**
 * The properties of a cause, the same in every answer: the code, its meaning, who acts, and the command that fixes it.
 */
import { actorOf, type Cause, meaningFor, remedyOf } from '../../../core/base/causes.ts';
import type { RemedyTarget } from '../../../core/base/remedies.ts';

export const renderCause = (cause: Cause, target: RemedyTarget) => ({
  cause,
  meaning: meaningFor(cause, target),
  whoActs: actorOf(cause),
  remedy: remedyOf(cause, target),
});
