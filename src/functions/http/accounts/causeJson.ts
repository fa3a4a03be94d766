/** What every answer tells of a cause: the code, what it means, who acts, and the command. */
import { actorOf, type Cause, meaningFor, remedyOf } from '../../../core/base/causes.ts';
import type { RemedyTarget } from '../../../core/base/remedies.ts';

export const renderCause = (cause: Cause, target: RemedyTarget) => ({
  cause,
  meaning: meaningFor(cause, target),
  whoActs: actorOf(cause),
  remedy: remedyOf(cause, target),
});
