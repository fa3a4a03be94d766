const deadlineMs = 3_000;

/** Returns the result, or undefined when the work takes longer. It ignores a later result. */
export async function inTime<T>(
  work: Promise<T>,
  { pause }: { readonly pause: (ms: number) => Promise<void> },
  withinMs = deadlineMs,
): Promise<T | undefined> {
  work.catch(() => undefined);
  return Promise.race([work, pause(withinMs).then(() => undefined)]);
}
