/**
 * The person on call, as a program: follows the link of an alert to its section of the documents, and makes the calls
 * of the command blocks there, in their order. It knows nothing but the alert, the section and the answers.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { HttpRequest } from '@azure/functions';
import { authorize } from '../../src/functions/pipeline/authorize.ts';
import type { Role } from '../../src/functions/pipeline/caller.ts';
import { checkQuery } from '../../src/functions/pipeline/queryParameters.ts';
import { routes } from '../../src/functions/routes.ts';
import type { Lab } from '../../src/local/lab/lab.ts';
import type { FiredAlert } from './replay.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const onCall = {
  actor: { kind: 'principal', id: 'on-call' } as const,
  roles: new Set<Role>(['Accounts.Read', 'Keys.Operate', 'Audit.Read']),
};

/** The section that the alert links. @throws Error when the document has no such heading */
export function sectionOf({ description }: Pick<FiredAlert, 'description'>): string {
  const [path = '', anchor = ''] = description.split('#');
  const slug = (heading: string) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, '')
      .replaceAll(' ', '-');
  const lines = readFileSync(`${root}${path}`, 'utf8').split('\n');
  const start = lines.findIndex((line) => /^#+ /.test(line) && slug(line.replace(/^#+ /, '')) === anchor);
  if (start < 0) throw new Error(`${path} has no section '${anchor}'.`);
  const end = lines.findIndex((line, index) => index > start && /^#+ /.test(line));
  return lines.slice(start, end < 0 ? undefined : end).join('\n');
}

type Words = Readonly<Record<string, string>>;

/** The curl commands of the section, each as its words. */
function commandsIn(section: string): string[][] {
  const blocks = [...section.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, code = '']) => code.replaceAll('\\\n', ' '));
  const lines = blocks.flatMap((code) => code.split('\n').map((line) => line.trim()));
  return lines
    .filter((line) => line.startsWith('curl '))
    .map((line) => [...line.matchAll(/"((?:[^"\\]|\\.)*)"|\S+/g)].map(([word, quoted]) => quoted ?? word));
}

function filled(text: string, words: Words): string {
  return text.replaceAll('\\"', '"').replaceAll(/\$([A-Z_]+)/g, (_, name: string) => {
    const value = words[name];
    if (value === undefined) throw new Error(`The section uses $${name}, which neither alert nor answers name.`);
    return value;
  });
}

/**
 * The n-th call of the section, from 0, with these values in the place of its variables. Returns the body of the
 * answer.
 */
// biome-ignore lint/suspicious/noExplicitAny: the JSON of an answer, as a person reads it.
export async function call(section: string, n: number, words: Words, lab: Lab): Promise<any> {
  const command = commandsIn(section)[n];
  if (command === undefined) throw new Error(`The section has no call ${n + 1}.`);
  const valuesOf = (option: string) =>
    command.flatMap((word, index) => (command[index - 1] === option ? [filled(word, words)] : []));
  const url = new URL(filled(command.at(-1) ?? '', { KEYWARD_HOST: 'keyward.example', TOKEN: 'token', ...words }));
  for (const pair of valuesOf('--data-urlencode')) {
    const [name = '', ...value] = pair.split('=');
    url.searchParams.append(name, value.join('='));
  }
  const [body] = valuesOf('--data');
  const method = valuesOf('--request')[0] ?? 'GET';
  const path = url.pathname.replace('/api/', '').split('/');
  const route = routes.find(
    (one) =>
      one.method === method &&
      one.path.split('/').length === path.length &&
      one.path.split('/').every((part, index) => part.startsWith('{') || part === path[index]),
  );
  if (route === undefined || route.bare !== undefined) throw new Error(`There is no call ${method} ${url.pathname}.`);
  const params = Object.fromEntries(
    route.path
      .split('/')
      .flatMap((part, index) => (part.startsWith('{') ? [[part.slice(1, -1), path[index] ?? '']] : [])),
  );
  const request = new HttpRequest({
    method,
    url: url.href,
    query: Object.fromEntries(url.searchParams),
    params,
    ...(body === undefined ? {} : { body: { string: body } }),
  });
  authorize(onCall, route);
  checkQuery(request, route);
  const answer = await route.handler({ request, ...onCall, service: lab.service });
  if (answer.status !== 200) throw new Error(`${method} ${url.pathname} answered ${answer.status}.`);
  return JSON.parse(JSON.stringify(answer.jsonBody));
}
