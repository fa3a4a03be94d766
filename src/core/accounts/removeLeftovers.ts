import { defined } from '../base/defined.ts';
import { LostRace } from '../base/errors.ts';
import type { AccountsDeps } from './deps.ts';

/**
 * Before an account is created: rows that a writer left who died between a late save and its removal, after the earlier account of
 * this name was gone. What was there before there was seen to be no account belongs to none, and goes as it was read.
 * @throws LostRace when somebody has created the account meanwhile.
 */
export async function removeLeftovers(account: string, { accounts, secrets }: AccountsDeps): Promise<void> {
  for (let after: string | undefined, isLast = false; !isLast; isLast = after === undefined) {
    const page = await secrets.page(account, { limit: 100, ...defined({ after }) });
    if (page.rows.length > 0 && (await accounts.read(account)) !== undefined)
      throw new LostRace('The account is being created by somebody else.');
    await Promise.all(page.rows.map(({ ref, etag }) => secrets.remove(ref, etag)));
    after = page.next;
  }
}
