/**
 * Runs one part of the embedded stack as its own process. The parent reads one JSON line from standard output and holds
 * standard input open. When the parent ends in any way, standard input closes and this process ends too, so that no
 * orphan occupies a port. (A shell that starts this process in the background without a terminal gives it an empty
 * standard input: add `< <(sleep infinity)` there.)
 */
import * as z from 'zod';

type Part = { stop(): Promise<void> };

export async function runAsOwnProcess<P extends Part>(
  start: () => Promise<P>,
  firstLine: (part: P) => Record<string, unknown>,
): Promise<void> {
  const ended = new Promise<void>((resolve) => {
    process.once('SIGTERM', resolve);
    process.once('SIGINT', resolve);
    process.stdin.once('end', resolve).once('close', resolve).once('error', resolve).resume();
  });
  try {
    const part = await start();
    process.stdout.write(`${JSON.stringify(firstLine(part))}\n`);
    await ended;
    await part.stop();
    process.exit(0);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  }
}

/** The options of a part in one JSON argument: `node main.ts '{"port":4000}'`. */
export function jsonArgument<S extends z.ZodType>(
  schema: S,
  argument: string | undefined = process.argv[2],
): z.infer<S> {
  const parsed = schema.safeParse(argument === undefined ? {} : JSON.parse(argument));
  if (!parsed.success) throw new Error(`The JSON argument is not valid:\n${z.prettifyError(parsed.error)}`);
  return parsed.data;
}
