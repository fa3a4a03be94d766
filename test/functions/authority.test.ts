import { expect, it } from 'vitest';
import { authorityOf } from '../../src/functions/pipeline/authority.ts';

it.each([
  [undefined, 'https://login.microsoftonline.com/contoso'],
  ['public', 'https://login.microsoftonline.com/contoso'],
  ['usgov', 'https://login.microsoftonline.us/contoso'],
  ['china', 'https://login.partner.microsoftonline.cn/contoso'],
])('in the cloud %s, tokens of the tenant come from %s', (cloud, expected) => {
  expect(authorityOf(cloud === undefined ? {} : { KEYWARD_CLOUD: cloud }, 'contoso')).toBe(expected);
});
