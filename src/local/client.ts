/** Calls of the service over HTTP, for the demo, the tests and scripts that start the stack. */
import { Agent, type IncomingMessage, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: bodies have many shapes, and callers read the expected one.
  readonly body: any;
}

export type Caller = (
  method: string,
  path: string,
  body?: unknown,
  headers?: Readonly<Record<string, string>>,
) => Promise<Answer>;

/** `fetch` costs twice the CPU time, and the tests make tens of thousands of calls. */
const agent = new Agent({ keepAlive: true });

/** Calls the API with a function key or with the given headers. */
export function caller(baseUrl: string, identification: Readonly<Record<string, string>>): Caller {
  return (method, path, body, more = {}) => {
    const sent = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
    const headers = {
      'content-type': 'application/json',
      // Without it, Node sends the body of a DELETE without its length.
      ...(sent === undefined ? {} : { 'content-length': String(Buffer.byteLength(sent)) }),
      ...identification,
      ...more,
    };
    return new Promise((resolve, reject) => {
      const call = request(new URL(path, baseUrl), { method, headers, agent }, (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        answer.once('error', reject).once('end', () => {
          try {
            resolve({ status: answer.statusCode ?? 0, headers: headersOf(answer), body: jsonIn(text) });
          } catch (error) {
            reject(error);
          }
        });
      });
      call.once('error', reject);
      call.end(sent);
    });
  };
}

const jsonIn = (text: string): unknown => (text === '' ? undefined : JSON.parse(text));

const headersOf = ({ headersDistinct }: IncomingMessage): Headers =>
  new Headers(Object.entries(headersDistinct).flatMap(([name, values = []]) => values.map((value) => [name, value])));

/** Repeats a call until its answer meets the condition; the error at the end holds the last answer. */
export async function until<T>(
  what: string,
  ask: () => Promise<T>,
  isIt: (seen: T) => boolean,
  withinMs = 50_000,
): Promise<T> {
  const end = Date.now() + withinMs;
  // A short wait ends soon, and a long one asks rarely: each call costs as much as the work that it waits for.
  for (let pauseMs = 25; ; pauseMs = Math.min(200, pauseMs * 1.5)) {
    const seen = await ask();
    if (isIt(seen)) return seen;
    if (Date.now() > end) throw new Error(`${what}: not within ${withinMs} ms; last seen ${JSON.stringify(seen)}`);
    await sleep(pauseMs);
  }
}
