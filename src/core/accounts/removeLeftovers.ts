import { defined } from '../base/defined.ts';
import { LostRace } from '../base/errors.ts';
import type { AccountsDeps } from './deps.ts';

/**
 * Runs before an account is created. It removes rows of a writer that crashed between a late save and the removal of
 * that row, after the earlier account of this name was gone. A row that existed before the account was found absent
 * belongs to no account. It is deleted under the ETag that was read. @throws LostRace when another caller has created
 * the account in the meantime.
 */
export async function removeLeftovers(account: string, { accounts, secrets }: AccountsDeps): Promise<void> {
  for (let after: string | undefined, isLast = false; !isLast; isLast = after === undefined) {
    const page = await secrets.page(account, { limit: 100, ...defined({ after }) });
    if (page.rows.length > 0 && (await accounts.read(account)) !== undefined)
      throw new LostRace('Another caller is creating the account.');
    await Promise.all(page.rows.map(({ ref, etag }) => secrets.remove(ref, etag)));
    after = page.next;
  }
}
