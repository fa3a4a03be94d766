/** The SDK hands the signal to requests to the vault, but not to those for a token: what takes longer is given up here. */
export async function inTime<T>(call: (signal: AbortSignal) => Promise<T>, ms: number): Promise<T> {
  const signal = AbortSignal.timeout(ms);
  const tooLate = new Promise<never>((_resolve, reject) => {
    // After the pipeline's own answer to the signal, which tells more.
    signal.addEventListener('abort', () => setTimeout(reject, 50, signal.reason), { once: true });
  });
  return Promise.race([call(signal), tooLate]);
}
