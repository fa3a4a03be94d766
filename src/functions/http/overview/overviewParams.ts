/** Filters, times and positions of the overview's calls, read from the query. @throws Refusal InvalidParameter */

import type { HttpRequest } from '@azure/functions';
import * as z from 'zod';
import { defined } from '../../../core/base/defined.ts';
import { Refusal } from '../../../core/base/errors.ts';
import { fold, parseOwner } from '../../../core/base/names.ts';
import type { EpochMs } from '../../../core/base/time.ts';
import { type Cloud, type KeyIdentifier, parseKeyIdentifier } from '../../../core/customerKey/keyIdentifier.ts';
import type { IndexPosition } from '../../../core/overview/indexRows.ts';
import { absoluteUrl } from '../../pipeline/links.ts';

const invalid = (target: string, message: string): Refusal => new Refusal('InvalidParameter', message, { target });

/** One of a closed list; undefined: the query does not have it. */
export function choiceIn<T extends string>(request: HttpRequest, name: string, choices: readonly T[]): T | undefined {
  const text = request.query.get(name);
  if (text === null) return undefined;
  const found = choices.find((choice) => fold(choice) === fold(text));
  if (found !== undefined) return found;
  throw invalid(name, `${name} is one of ${choices.join(', ')}.`);
}

export function ownerIn(request: HttpRequest): string | undefined {
  const text = request.query.get('owner');
  return text === null ? undefined : asTarget('owner', () => parseOwner(text));
}

export function keyIn(request: HttpRequest, name: string, cloud: Cloud): KeyIdentifier | undefined {
  const text = request.query.get(name);
  return text === null ? undefined : asTarget(name, () => parseKeyIdentifier(text.trim(), cloud));
}

/** The error names the query parameter. */
function asTarget<T>(target: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw error instanceof Refusal ? invalid(target, `${target}: ${error.message}`) : error;
  }
}

/** Text that the name of an account begins with. */
export function nameIn(request: HttpRequest, parameter: string): string | undefined {
  const text = request.query.get(parameter);
  if (text === null) return undefined;
  if (/^[A-Za-z0-9-]{1,64}$/.test(text)) return fold(text);
  throw invalid(parameter, `${parameter} has 1 to 64 letters, digits and hyphens.`);
}

/** ISO 8601 with an offset, or Z. */
const time = z.iso.datetime({ offset: true });

export function timeIn(request: HttpRequest, parameter: string): EpochMs | undefined {
  const text = request.query.get(parameter);
  if (text === null) return undefined;
  if (time.safeParse(text).success) return Date.parse(text);
  throw invalid(parameter, `${parameter} is a time such as 2026-11-28T02:00:00Z.`);
}

const part = z.string().max(128);
const position = z.union([z.tuple([part]), z.tuple([part, part]), z.tuple([part, part, part])]);

/** An account under the system key has no key in its position. */
const noKey = '';

export function tokenOf({ owner, bindingId = noKey, name }: IndexPosition): string {
  const parts = name === undefined ? [owner, bindingId] : [owner, bindingId, name];
  return Buffer.from(JSON.stringify(parts), 'utf8').toString('base64url');
}

export function positionIn(request: HttpRequest): IndexPosition | undefined {
  const text = request.query.get('$skipToken');
  if (text === null) return undefined;
  try {
    const [owner, bindingId = noKey, name] = position.parse(
      JSON.parse(Buffer.from(text, 'base64url').toString('utf8')),
    );
    return {
      owner: parseOwner(owner),
      ...(bindingId === noKey ? {} : { bindingId }),
      ...defined({ name }),
    };
  } catch {
    throw invalid('$skipToken', '$skipToken is not one that a nextLink carried.');
  }
}

/** The same query with the position of the next page. */
export function nextLinkTo(request: HttpRequest, token: string | undefined): { readonly nextLink?: string } {
  if (token === undefined) return {};
  const { pathname } = new URL(request.url);
  const query = new URLSearchParams([...request.query].filter(([name]) => name !== '$skipToken' && name !== 'code'));
  query.set('$skipToken', token);
  return { nextLink: absoluteUrl(request, `${pathname}?${query}`) };
}
