/**
 * `GET /console/...`: the console's page, its files and its configuration. Open to all, because a page must load before
 * its user can sign in: it holds no data, and each call that it makes needs the user's token.
 */
import type { HttpHandler, HttpRequest, HttpResponseInit } from '@azure/functions';
import { consoleConfig } from './consoleConfig.ts';
import { type ConsoleFile, consoleFile } from './consoleFiles.ts';
import { securityHeaders } from './securityHeaders.ts';

export const consoleRoute: HttpHandler = async (request) => {
  const config = consoleConfig(process.env);
  const answer = await answerFor(request, config);
  return { ...answer, headers: { ...securityHeaders(config), ...answer.headers } };
};

async function answerFor(request: HttpRequest, config: ReturnType<typeof consoleConfig>): Promise<HttpResponseInit> {
  // The host ignores the case of a literal, and the page's own paths do not.
  const path = new URL(request.url).pathname.replace(/^\/console\/?/i, '');
  if (!/^\/console\//.test(new URL(request.url).pathname)) return { status: 308, headers: { Location: '/console/' } };
  if (path === 'config.json') return { status: 200, headers: { 'Cache-Control': 'no-cache' }, jsonBody: config };
  const file = await consoleFile(path);
  if (file !== undefined) return answerFile(request, file);
  // A view of the page is a path without a file type; the page reads it.
  const page = /\.\w+$/.test(path) ? undefined : await consoleFile('index.html');
  return page === undefined ? notFound : answerFile(request, page);
}

function answerFile(request: HttpRequest, { contentType, bytes, gzipped, isHashed }: ConsoleFile): HttpResponseInit {
  const isGzipWanted = /\bgzip\b/.test(request.headers.get('accept-encoding') ?? '');
  return {
    status: 200,
    headers: {
      'Content-Type': contentType,
      'Cache-Control': isHashed ? 'public, max-age=31536000, immutable' : 'no-cache',
      Vary: 'Accept-Encoding',
      ...(isGzipWanted ? { 'Content-Encoding': 'gzip' } : {}),
    },
    body: isGzipWanted ? gzipped : bytes,
  };
}

const notFound: HttpResponseInit = {
  status: 404,
  headers: { 'Content-Type': 'text/plain; charset=utf-8' },
  body: 'The console has no such file. Load /console/ again: a newer version has other file names.\n',
};
