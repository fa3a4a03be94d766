/**
 * The published bounds: how long after the vault's first refusal every account of the key is blocked, and for how long
 * a process or a client may hold a key after it (docs/states-and-bounds.md, "Bounds"). Pure.
 */
import { confirmationOf, type DenyingCause, type Policy } from '../base/policy.ts';

/** How long a message waits in the queue, as docs/states-and-bounds.md assumes. */
export const queueMs = 3_000;

export function blockBoundMs(cause: DenyingCause, policy: Policy): number {
  const { looks, overMs } = confirmationOf(cause, policy);
  const suspectMs = policy.lookIntervalSuspectSeconds * 1000;
  const confirming = (looks - 1) * (suspectMs + queueMs);
  const lasting = overMs > 0 ? overMs + suspectMs + queueMs : 0;
  const looking = 2 * policy.lookDeadlineSeconds * 1000;
  return healthyMs(policy) + queueMs + Math.max(confirming, lasting) + looking;
}

/** Any revocation → no unwrapped account key in any process, and no usable data key in any client. */
export const releaseBoundMs = (policy: Policy): number => healthyMs(policy) + policy.leaseSeconds * 1000;

const healthyMs = ({ lookIntervalHealthySeconds, lookSpacingSeconds }: Policy): number =>
  (lookIntervalHealthySeconds + lookSpacingSeconds) * 1000;
