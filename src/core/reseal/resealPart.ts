/** Reseals the accounts of one part of a pass, for as long as one message lasts. */
import { defined } from '../base/defined.ts';
import { describeError, Unavailable } from '../base/errors.ts';
import type { RingName } from '../base/vocabulary.ts';
import type { PassPart, RingRotation } from '../rings/storedRing.ts';
import type { ResealDeps } from './deps.ts';
import { type PageResult, processAccount } from './resealAccount.ts';

/** How long the work of one message lasts: far less than the lease that keeps other workers away. */
export const messageMs = 20_000;
const namesPerPage = 48;
const accountsAtOnce = 8;

export async function processPart(part: PassPart, ring: RingName, rotation: RingRotation, deps: ResealDeps) {
  const { until } = part;
  const end = deps.clock.now() + messageMs;
  const counts = { visited: 0, found: 0, moved: 0, stuck: 0 };
  for (let { after } = part; ; ) {
    const page = await deps.accounts.names(namesPerPage, after);
    const names = until === undefined ? page : page.filter((name) => name <= until);
    for (let next = 0; next < names.length; next += accountsAtOnce) {
      if (deps.clock.now() >= end) return { ...counts, reached: defined({ after, until }) as PassPart };
      const some = names.slice(next, next + accountsAtOnce);
      const results = await Promise.all(some.map((name) => processOne(name, ring, rotation, deps)));
      for (const one of results) for (const count of ['found', 'moved', 'stuck'] as const) counts[count] += one[count];
      counts.visited += some.length;
      after = some.at(-1);
    }
    if (names.length < namesPerPage) return { ...counts, reached: defined({ after, until, isOver: true }) as PassPart };
  }
}

/**
 * A failure of one account does not stop the others, and Keyward retains the older generation. Without storage the pass
 * stops.
 */
async function processOne(name: string, ring: RingName, rotation: RingRotation, deps: ResealDeps): Promise<PageResult> {
  try {
    return await processAccount(name, ring, rotation, deps);
  } catch (error) {
    if (error instanceof Unavailable && error.code === 'StorageUnavailable') throw error;
    deps.log.error('An account could not be resealed under the newest ring generation', {
      account: name,
      ring,
      error: describeError(error),
    });
    // A later round processes an account that other writers change all the time. An account that is damaged stays
    // damaged.
    return { found: 1, moved: 0, stuck: error instanceof Unavailable ? 0 : 1 };
  }
}
