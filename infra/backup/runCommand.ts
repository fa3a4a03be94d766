/** How a command of an operator ends. */

/** An error that the operator can resolve. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
}

/** An error is one message, and the exit code is 1. */
export async function runCommand(main: () => Promise<void>, usage: string): Promise<void> {
  try {
    await main();
  } catch (error) {
    const isUsage = error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
    // An error of the SDK contains the request, so print its message only.
    console.error(isUsage ? usage : error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  }
}
