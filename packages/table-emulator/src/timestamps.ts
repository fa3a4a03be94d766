/** Times of writes, in steps of 100 ns as the Table service states them, each later than the one before. */
export function createTimestamps(now: () => number): () => string {
  const stepsPerMs = 10_000;
  let [ms, step] = [0, 0];
  return () => {
    const current = Math.max(now(), ms);
    step = current === ms ? step + 1 : 0;
    ms = current;
    if (step === stepsPerMs) [ms, step] = [ms + 1, 0];
    return `${new Date(ms).toISOString().slice(0, -1)}${String(step).padStart(4, '0')}Z`;
  };
}
