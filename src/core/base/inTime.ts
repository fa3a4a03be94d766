const deadlineMs = 3_000;

/** Returns the result, or undefined when the work takes longer. It ignores a later result. */
export async function inTime<T>(
  asking: Promise<T>,
  { pause }: { readonly pause: (ms: number) => Promise<void> },
  withinMs = deadlineMs,
): Promise<T | undefined> {
  asking.catch(() => undefined);
  return Promise.race([asking, pause(withinMs).then(() => undefined)]);
}
