import { describe, expect, it } from 'vitest';
import { checkPreconditions } from '../../src/core/accounts/writeAccount.ts';

const etag = '"7d0f3a52-0000-4000-8000-000000000001.3"';

// RFC 9110, 13.1.1: true when one of the listed ETags matches by the strong comparison.
describe('If-Match', () => {
  it.each([etag, '*', `"other", ${etag}`, `${etag},"other"`, ` ${etag} `])(
    'If-Match %s accepts the account, because it lists its ETag or any',
    (ifMatch) => {
      expect(() => checkPreconditions({ ifMatch }, etag)).not.toThrow();
    },
  );

  it.each(['"other"', '"a", "b"', `W/${etag}`, '"*"', '', ',', etag.replaceAll('"', '')])(
    'If-Match %s refuses the account, because it does not list its ETag',
    (ifMatch) => {
      expect(() => checkPreconditions({ ifMatch }, etag)).toThrow(`its ETag is ${etag}`);
    },
  );
});
