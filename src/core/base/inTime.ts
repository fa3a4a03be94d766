const deadlineMs = 3_000;

/** The answer, or undefined when none has come in time. What comes later is dropped. */
export async function inTime<T>(
  asking: Promise<T>,
  { pause }: { readonly pause: (ms: number) => Promise<void> },
  withinMs = deadlineMs,
): Promise<T | undefined> {
  asking.catch(() => undefined);
  return Promise.race([asking, pause(withinMs).then(() => undefined)]);
}
