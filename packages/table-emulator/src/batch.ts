/** Entity group transactions on the wire: a multipart body of HTTP requests, and the answer to it in the same form. */
import { errorBody, refusal, type TableError } from './errors.ts';
import type { Request } from './http.ts';

/** Microsoft, "Performing entity group transactions". */
export const maxOperations = 100;

const changesetBoundary = /boundary=(?<boundary>changeset_[\w-]+)/;
const requestLine = /(?<method>[A-Z]+) (?<url>\S+) HTTP\/1\.1\r?\n/;

/** @throws TableError */
export function requestsIn(body: string): Request[] {
  const boundary = changesetBoundary.exec(body)?.groups?.boundary;
  if (boundary === undefined) throw refusal('InvalidInput', 'The batch has no change set.');
  return body.split(`--${boundary}`).slice(1, -1).map(requestInPart);
}

function requestInPart(part: string): Request {
  const line = requestLine.exec(part);
  const { method, url } = line?.groups ?? {};
  if (line === null || method === undefined || url === undefined)
    throw refusal('InvalidInput', 'A part of the batch holds no request.');
  const [head = '', ...body] = part.slice(line.index + line[0].length).split(/\r?\n\r?\n/);
  const headers = new Map(head.split(/\r?\n/).map(headerIn));
  return { method, url, header: (name) => headers.get(name), body: body.join('\r\n\r\n').trim() };
}

function headerIn(line: string): readonly [string, string] {
  const colon = line.indexOf(':');
  return [line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim()];
}

/** One answer in a batch's answer: an ETag, where the entity has one now, or why the whole batch was refused. */
export type PartAnswer =
  | { readonly etag: string | undefined }
  | { readonly refused: TableError; readonly index: number };

/** The body of the answer, and its content type. */
export function batchAnswer(id: string, answers: readonly PartAnswer[]): readonly [body: string, type: string] {
  const [batch, changeset] = [`batchresponse_${id}`, `changesetresponse_${id}`];
  const lines = [
    `--${batch}`,
    `Content-Type: multipart/mixed; boundary=${changeset}`,
    '',
    ...answers.flatMap((answer) => [
      `--${changeset}`,
      'Content-Type: application/http',
      'Content-Transfer-Encoding: binary',
      '',
      ...partLines(answer),
      '',
    ]),
    `--${changeset}--`,
    `--${batch}--`,
    '',
  ];
  return [lines.join('\r\n'), `multipart/mixed; boundary=${batch}`];
}

const partLines = (answer: PartAnswer): readonly string[] =>
  'refused' in answer
    ? [
        `HTTP/1.1 ${answer.refused.status} ${answer.refused.code}`,
        `Content-ID: ${answer.index + 1}`,
        'Content-Type: application/json;odata=minimalmetadata;streaming=true;charset=utf-8',
        '',
        errorBody(answer.refused, `${answer.index}:${answer.refused.message}`),
      ]
    : ['HTTP/1.1 204 No Content', ...(answer.etag === undefined ? [] : [`ETag: ${answer.etag}`]), ''];
