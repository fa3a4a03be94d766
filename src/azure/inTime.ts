/** The SDK passes the signal to requests to the vault, but not to token requests. So this function ends the wait. */
export async function inTime<T>(call: (signal: AbortSignal) => Promise<T>, ms: number): Promise<T> {
  const signal = AbortSignal.timeout(ms);
  const tooLate = new Promise<never>((_resolve, reject) => {
    // After the pipeline's own reaction to the signal, which has more detail.
    signal.addEventListener('abort', () => setTimeout(reject, 50, signal.reason), { once: true });
  });
  return Promise.race([call(signal), tooLate]);
}
