/** Answers `/control/...`: finds the call and parses its JSON; an error is a 400 that names the field. */
import * as z from 'zod';
import { DirectoryRefusal } from '../directory.ts';
import type { Answer } from '../http.ts';
import type { World } from '../world.ts';
import type { ControlCall, Params } from './call.ts';
import { directoryCalls } from './directoryCalls.ts';
import { type ExampleNames, exampleNames } from './exampleNames.ts';
import { issuingCalls } from './issuingCalls.ts';

export const controlCalls: ControlCall[] = [...directoryCalls, ...issuingCalls];

export async function answerControl(world: World, method: string, path: string, text: string): Promise<Answer> {
  if (/^\/control\/?$/.test(path) && method === 'GET') return { status: 200, body: listing(world) };
  const onPath = controlCalls.flatMap((call) => {
    const params = match(call.path, path);
    return params === undefined ? [] : [{ call, params }];
  });
  const found = onPath.find(({ call }) => call.method === method);
  if (found === undefined) return noSuchCall(method, path, onPath);
  try {
    return await found.call.answer(world, found.params, text.trim() === '' ? {} : JSON.parse(text));
  } catch (error) {
    return refusal(error);
  }
}

/** Each call with a line to paste, whose parameters name things that exist. */
function listing(world: World) {
  const existing = exampleNames(world);
  return {
    calls: controlCalls.map(({ method, path, does, example, exampleName }) => {
      const names = { ...existing, ...(exampleName === undefined ? {} : { name: exampleName }) };
      const body = example?.(names);
      const data = body === undefined ? '' : ` -d '${JSON.stringify(body)}'`;
      const filled = path.replaceAll(
        /:(tenant|name|credential|id)/g,
        (_, name: keyof ExampleNames) => `${names[name]}`,
      );
      return { call: `${method} ${path}`, does, curl: `curl -s -X ${method} '${world.url}${filled}'${data}` };
    }),
  };
}

function match(pattern: string, path: string): Params | undefined {
  const [wanted, given] = [pattern.split('/'), path.split('/')];
  if (wanted.length !== given.length) return undefined;
  const params: Params = {};
  for (const [index, segment] of wanted.entries()) {
    const value = given[index] ?? '';
    if (segment.startsWith(':')) params[segment.slice(1)] = value;
    else if (segment !== value) return undefined;
  }
  return params;
}

function noSuchCall(method: string, path: string, onPath: { call: ControlCall }[]): Answer {
  const message = `There is no control call ${method} ${path}. GET /control lists them.`;
  if (onPath.length === 0) return { status: 404, body: { error: { code: 'NotFound', message } } };
  const allow = onPath.map(({ call }) => call.method).join(', ');
  return { status: 405, body: { error: { code: 'MethodNotAllowed', message } }, headers: { allow } };
}

const STATUS = { NotFound: 404, Conflict: 409, BadRequest: 400 } as const;

function refusal(error: unknown): Answer {
  if (error instanceof DirectoryRefusal) {
    const { code, target } = error;
    const message = code === 'NotFound' ? error.message : `${target}: ${error.message}`;
    return { status: STATUS[code], body: { error: { code, target, message } } };
  }
  if (error instanceof SyntaxError) return badRequest(undefined, `The body is not JSON: ${error.message}`);
  if (error instanceof z.ZodError) {
    const targets = error.issues.map(targetOf);
    const message = error.issues.map((issue, index) => `${targets[index]}: ${issue.message}`).join('; ');
    return badRequest(targets[0], message);
  }
  throw error;
}

const badRequest = (target: string | undefined, message: string): Answer => ({
  status: STATUS.BadRequest,
  body: { error: { code: 'BadRequest', target, message } },
});

/** The path of the wrong field; for an unknown field, the path of the field and not of its parent. */
function targetOf(issue: z.core.$ZodIssue): string {
  const unknown = issue.code === 'unrecognized_keys' ? issue.keys.slice(0, 1) : [];
  return [...issue.path, ...unknown].join('.') || 'body';
}
