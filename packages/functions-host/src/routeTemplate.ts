/**
 * Route templates, parsed and matched: literals ignoring case, `{name}`, `{name:constraint}`, `{name?}`,
 * `{name=default}`, `{*rest}`, and mixtures such as `{file}.{type}` in one segment
 * (Microsoft.AspNetCore.Routing.Template: TemplateParser, TemplateMatcher).
 */
import { type Constraint, constraint } from './routeConstraints.ts';

interface Parameter {
  name: string;
  constraints: Constraint[];
  fallback: string | undefined;
  optional: boolean;
  catchAll: boolean;
}

type Part = { literal: string } | Parameter;

interface Segment {
  parts: Part[];
  /** Matches a segment of a path that is not a parameter alone; a group for each parameter. */
  pattern: RegExp;
}

export interface Template {
  segments: Segment[];
}

const isParameter = (part: Part | undefined): part is Parameter => part !== undefined && 'name' in part;

/** Splits at a separator outside parentheses, so that `regex(a:b)` and `regex(a/b)` stay whole. */
function splitOutside(text: string, separator: RegExp): string[] {
  const pieces = [''];
  let depth = 0;
  for (const char of text) {
    if (char === '(') depth++;
    if (char === ')') depth--;
    if (depth === 0 && separator.test(char)) pieces.push('');
    else pieces[pieces.length - 1] += char;
  }
  return pieces;
}

function parseParameter(text: string): Parameter {
  const stars = /^\*{0,2}/.exec(text)?.[0].length ?? 0;
  let body = text.slice(stars);
  const [beforeDefault = '', ...afterDefault] = splitOutside(body, /=/);
  const fallback = afterDefault.length > 0 ? afterDefault.join('=') : undefined;
  body = beforeDefault;
  const optional = fallback === undefined && body.endsWith('?');
  const [name = '', ...constraints] = splitOutside(optional ? body.slice(0, -1) : body, /:/);
  if (!/^[^/{}?*=:]+$/.test(name)) throw new Error(`'${name}' is not a parameter name`);
  return { name, constraints: constraints.map(constraint), fallback, optional, catchAll: stars > 0 };
}

/** Reads the template into segments of parts; `{{` and `}}` are an escaped brace. */
function parseParts(template: string): Part[][] {
  const segments: Part[][] = [[]];
  let literal = '';
  const flush = () => {
    if (literal !== '') segments.at(-1)?.push({ literal });
    literal = '';
  };
  for (let index = 0; index < template.length; index++) {
    const char = template[index] ?? '';
    const doubled = template[index + 1] === char;
    if ((char === '{' || char === '}') && doubled) {
      literal += char;
      index++;
    } else if (char === '{') {
      flush();
      let body = '';
      for (index++; index < template.length; index++) {
        const inner = template[index] ?? '';
        const twice = (inner === '{' || inner === '}') && template[index + 1] === inner;
        if (inner === '}' && !twice) break;
        if (inner === '{' && !twice) throw new Error("a '{' inside a parameter must be doubled");
        if (twice) index++;
        body += inner;
      }
      if (index >= template.length) throw new Error("a '{' is not closed");
      segments.at(-1)?.push(parseParameter(body));
    } else if (char === '}') {
      throw new Error("a '}' is not opened");
    } else if (char === '/') {
      flush();
      segments.push([]);
    } else {
      literal += char;
    }
  }
  flush();
  return segments;
}

export function parseTemplate(template: string): Template {
  const trimmed = template.replace(/^\/|\/$/g, '');
  const segments = trimmed === '' ? [] : parseParts(trimmed);
  const names = segments.flat().flatMap((part) => (isParameter(part) ? [part.name.toLowerCase()] : []));
  if (new Set(names).size < names.length) throw new Error('a parameter name is used twice');
  if (segments.some((parts) => parts.length === 0)) throw new Error('a segment is empty');
  for (const [index, parts] of segments.entries()) {
    const catchesAll = parts.some((part) => isParameter(part) && part.catchAll);
    if (catchesAll && (parts.length > 1 || index < segments.length - 1)) {
      throw new Error('a catch-all parameter must be the last segment, alone in it');
    }
  }
  return { segments: segments.map((parts) => ({ parts, pattern: patternOf(parts) })) };
}

/** Percent-decoded as Kestrel does it: everything except an encoded slash; nonsense stays as it is. */
function decodeSegment(segment: string): string {
  try {
    return segment
      .split(/(%2f)/i)
      .map((piece, index) => (index % 2 === 0 ? decodeURIComponent(piece) : piece))
      .join('');
  } catch {
    return segment;
  }
}

const escapeRegExp = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

function patternOf(parts: Part[]): RegExp {
  const source = parts.map((part) => (isParameter(part) ? '(.+)' : escapeRegExp(part.literal)));
  return new RegExp(`^${source.join('')}$`, 'is');
}

function matchMixed({ parts, pattern }: Segment, segment: string, params: Record<string, string>): boolean {
  const found = pattern.exec(segment);
  if (found === null) return false;
  for (const [index, { name }] of parts.filter(isParameter).entries()) params[name] = found[index + 1] ?? '';
  return true;
}

/** The decoded segments of a path, which begins with '/', as it came on the wire. */
export function segmentsOf(path: string): string[] {
  const wire = path.replace(/^\//, '').replace(/\/$/, '');
  return wire === '' ? [] : wire.split('/').map(decodeSegment);
}

/** The parameters when the path's segments fit, else undefined. */
export function matchTemplate(template: Template, segments: readonly string[]): Record<string, string> | undefined {
  const params: Record<string, string> = {};
  let matched = segments.length;
  for (const [index, one] of template.segments.entries()) {
    const [first] = one.parts;
    const segment = segments[index];
    if (isParameter(first) && first.catchAll) {
      const rest = segments.slice(index).join('/');
      if (rest !== '') params[first.name] = rest;
      else if (first.fallback !== undefined) params[first.name] = first.fallback;
      matched = template.segments.length;
    } else if (one.parts.length === 1 && isParameter(first)) {
      const value = segment === undefined || segment === '' ? first.fallback : segment;
      if (value !== undefined) params[first.name] = value;
      else if (!first.optional) return undefined;
    } else if (segment === undefined || !matchMixed(one, segment, params)) {
      return undefined;
    }
  }
  if (matched > template.segments.length) return undefined;
  const fits = template.segments.every(({ parts }) =>
    parts.every((part) => {
      if (!isParameter(part)) return true;
      const value = params[part.name];
      return value === undefined || part.constraints.every((check) => check(value));
    }),
  );
  return fits ? params : undefined;
}
