import { HttpRequest } from '@azure/functions';
import { expect, test } from 'vitest';
import { refuseOtherFormats } from '../../src/functions/pipeline/bodyFormat.ts';

function refusalOf(headers: Record<string, string>): { code: string; target: string } | undefined {
  const request = new HttpRequest({ url: 'https://keyward.example/api/accounts/media', method: 'PATCH', headers });
  try {
    refuseOtherFormats(request);
    return undefined;
  } catch (error) {
    const { code, extras } = error as { code: string; extras: { target: string } };
    return { code, target: extras.target };
  }
}

test.each([
  '',
  'application/json',
  'APPLICATION/JSON; charset=UTF-8',
  'application/json; charset="utf-8"',
  "application/json; charset='utf-8'",
  'application/json; charset=',
  'application/json; accept-charset=utf-16',
  'application/json; odata.metadata=minimal',
  'application/vnd.contoso.dispatch+json',
  'text/json',
  'application/cloudevents+json; charset=utf-8',
  'application/cloudevents-batch+json',
  'text/plain;charset=UTF-8',
  'application/x-www-form-urlencoded',
  'application/octet-stream',
])('a body with the Content-Type %j is read as JSON', (type) => {
  expect(refusalOf(type === '' ? {} : { 'content-type': type })).toBeUndefined();
});

test.each([
  'application/merge-patch+json',
  'Application/Json-Patch+Json; charset=utf-8',
  'application/strategic-merge-patch+json',
  'application/xml',
  'application/yaml',
  'application/json-seq',
  'application/x-ndjson',
  'application/json, application/merge-patch+json',
  'multipart/form-data; boundary=x',
  'application/json; charset=utf-16',
  'application/json; charset=iso-8859-1',
  'application/json; charset = utf-16',
])('a body with the Content-Type %j is UnsupportedMediaType: it would mean something else', (type) => {
  expect(refusalOf({ 'content-type': type })).toEqual({ code: 'UnsupportedMediaType', target: 'Content-Type' });
});

test.each(['gzip', 'br', 'deflate', 'identity, gzip'])(
  'a body with the Content-Encoding %s is UnsupportedMediaType: Keyward decompresses nothing',
  (encoding) => {
    const headers = { 'content-type': 'application/json', 'content-encoding': encoding };
    expect(refusalOf(headers)).toEqual({ code: 'UnsupportedMediaType', target: 'Content-Encoding' });
  },
);

test('a body with the Content-Encoding identity is read as JSON', () => {
  expect(refusalOf({ 'content-encoding': 'Identity' })).toBeUndefined();
});
