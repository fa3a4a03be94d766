/**
 * The platform ends a process at each deployment, change of a setting, and scale-in. The worker of Azure Functions
 * waits for its `appTerminate` hooks and for nothing else: without this hook every call in flight is cut off.
 *
 *   calls in flight are answered ─▶ events are published, overview and metrics written ─▶ account keys are wiped
 *   └──────────────────────── at most 4 s together ────────────────────────┘
 *
 * What the time does not suffice for is not lost: queue messages come again, callers retry, and the sweep publishes
 * what waits in the outbox.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { flushMetrics, invocationsInFlight, keywardIfWired } from '../pipeline/service.ts';

const longestMs = 4_000;
/** From the end of a handler until its response has left: with HTTP streaming the library sends it, not the handler. */
const sendMs = 100;

export async function endOfProcess(): Promise<void> {
  const wired = keywardIfWired();
  if (wired === undefined) return;
  const service = await wired.catch(() => undefined);
  if (service === undefined) return;
  const work = answerAndPublish(() =>
    Promise.all([service.announcer?.idle(), service.overview.settled(), flushMetrics()]),
  );
  await Promise.race([work, sleep(longestMs, undefined, { ref: false })]);
  service.leases.clear();
}

async function answerAndPublish(published: () => Promise<unknown>): Promise<void> {
  const calls = invocationsInFlight();
  await Promise.allSettled(calls);
  if (calls.length > 0) await sleep(sendMs);
  await published();
}
