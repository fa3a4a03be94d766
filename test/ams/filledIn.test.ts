import { HttpRequest } from '@azure/functions';
import { expect, test } from 'vitest';
import { patchAccount, putAccount } from '../../src/core/accounts/put.ts';
import { update } from '../../src/functions/ams/accounts.ts';
import { tester } from '../../src/local/lab/lab.ts';
import { location } from '../../src/local/operator.ts';
import { useLab } from '../lab.ts';
import { accountPath, group, subscriptionId } from './support.ts';

const world = useLab();

test.each(['2021-06-01', '2021-11-01'])(
  'what a body leaves out of the encryption is as the account has it when it is changed, not as it was seen (%s)',
  async (version) => {
    const { lab } = world;
    const { service } = lab;
    const account = `filled-${version}`;
    const by = (keyIdentifier: string) =>
      ({ type: 'CustomerKey', keyIdentifier, identity: { useSystemAssignedIdentity: true } }) as const;
    const [old, next] = [await lab.vaultWithKey(`old-${version}`), await lab.vaultWithKey(`next-${version}`)];
    const place = { subscriptionId, resourceGroup: group };
    await putAccount(account, { owner: 'contoso', location, place, encryption: by(old) }, {}, tester, service);
    const seen = await lab.view(account);
    await patchAccount(account, { encryption: by(next) }, {}, tester, service);
    const body = { tags: { a: 'b' }, properties: { encryption: { type: 'CustomerKey' } } };
    const request = new HttpRequest({
      ...{ method: 'PATCH', url: `https://app.example${accountPath(account)}?api-version=${version}` },
      params: { subscriptionId, resourceGroupName: group, accountName: account },
      query: { 'api-version': version },
      body: { string: JSON.stringify(body) },
    });
    const known = Promise.resolve({ view: seen, isRemembered: true });
    const answer = await update({ request, service, actor: tester, roles: new Set(), known });
    expect(answer.status).toBeLessThan(300);
    const { encryption, tags } = (await lab.view(account)).record;
    expect(encryption).toMatchObject({ keyIdentifier: next });
    expect(tags).toEqual({ a: 'b' });
  },
);
