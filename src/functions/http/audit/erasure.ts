/**
 * `POST /api/operator/accounts/{accountName}/audit/erase`: erases the owner and the actors from the audit of a deleted
 * account.
 */
import * as z from 'zod';
import { eraseAudit } from '../../../core/erasure/eraseAudit.ts';
import type { RouteHandler } from '../../pipeline/call.ts';
import { count, guid } from '../../pipeline/contractParts.ts';
import { parsed, readJson } from '../../pipeline/requestBody.ts';
import type { Route } from '../../pipeline/route.ts';

const accountId = '0f1e2d3c-4b5a-4978-8695-a4b3c2d1e0ff';

const body = z
  .strictObject({ accountId: z.guid().meta({ description: 'Of the deleted account: see its instances.' }) })
  .meta({ id: 'AuditErasureInput', examples: [{ accountId }] });

const answer = z
  .strictObject({
    accountId: guid,
    result: z.enum(['erased', 'partial', 'unfinished']).meta({
      description: '`partial`: `left` says what remains. `unfinished`: the time of the call is over, call again.',
    }),
    entries: count.meta({ description: 'Entries that this call has erased.' }),
    left: z
      .array(
        z.strictObject({
          reason: z.enum(['Damaged', 'OlderFormat', 'ClaimOfOwner', 'OwnerHasAccounts']),
          item: z.string().meta({ description: '`<chain>/<sequence>`, `<kind>/<value>` of a claim, or an account.' }),
        }),
      )
      .meta({ description: 'What still names the owner or an actor: of the entries the first 100.' }),
    hasMore: z.literal(true).optional().meta({ description: 'More than 100 entries are left.' }),
  })
  .meta({ id: 'AuditErasure', examples: [{ accountId, result: 'erased', entries: 5, left: [] }] });

const erase: RouteHandler = async ({ request, actor, service }) => {
  const input = parsed(body, await readJson(request));
  const id = input.accountId.toLowerCase();
  const erasure = await eraseAudit(request.params.accountName ?? '', id, actor, service);
  return { status: 200, jsonBody: { accountId: id, ...erasure } };
};

export const erasureRoutes: readonly Route[] = [
  {
    name: 'operatorAuditErase',
    method: 'POST',
    path: 'operator/accounts/{accountName}/audit/erase',
    scope: 'operator',
    role: 'Accounts.Delete',
    contract: {
      summary: 'Erases the owner and the actors from the audit of a deleted account',
      body,
      answers: { 200: answer },
    },
    handler: erase,
  },
];
