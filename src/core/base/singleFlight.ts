/** One run of some work for all callers that wait for its result at the same time. */
import { startAge } from './age.ts';
import type { Clock } from './effects.ts';

/**
 * A run that began more than `maxAgeMs` ago, by either clock, spans a suspension of the host. Its result says nothing
 * about the present, so the caller that waited for it gets the result of a second run.
 */
export function singleFlight<T>(work: () => Promise<T>, maxAgeMs: number, clock: Clock): () => Promise<T> {
  let flight: { readonly result: Promise<T>; readonly ageMs: () => number } | undefined;

  function join() {
    flight ??= {
      ageMs: startAge(clock),
      result: work().finally(() => {
        flight = undefined;
      }),
    };
    return flight;
  }

  return async () => {
    const { result, ageMs } = join();
    await result.catch(() => undefined);
    return ageMs() < maxAgeMs ? result : join().result;
  };
}
