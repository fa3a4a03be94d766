/** The checks of the demo's steps: a step with an unexpected response fails. */
import type { Caller } from '../client.ts';

export async function expected(status: number, answer: ReturnType<Caller>) {
  const got = await answer;
  if (got.status !== status) throw new Error(`expected ${status}, got ${got.status}: ${JSON.stringify(got.body)}`);
  return got;
}

export function refused(answer: Awaited<ReturnType<Caller>>, status: number, code: string): string[] {
  same('status and code', `${answer.status} ${answer.body?.error?.code}`, `${status} ${code}`);
  return [`${answer.status} ${code}: ${answer.body.error.message}`];
}

export function same(what: string, got: unknown, wanted: unknown): void {
  if (got !== wanted) throw new Error(`${what}: expected ${String(wanted)}, got ${String(got)}`);
}
