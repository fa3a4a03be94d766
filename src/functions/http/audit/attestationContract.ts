/** The contracts of the daily verification, of signed checkpoints, and of receipts of revocations. */
import * as z from 'zod';
import { count, guid, keyIdentifier, pageOf, paging, time } from '../../pipeline/contractParts.ts';
import type { Contract } from '../../pipeline/route.ts';
import { jwkSet } from '../dataKeys/dataKeyContract.ts';
import { brokenLink } from './auditContract.ts';

const jws = z.string().meta({ description: 'A compact JWS (RFC 7515), signed with Ed25519.' });
const accountExample = '0f1e2d3c-4b5a-4978-8695-a4b3c2d1e0ff';
const jwsExample = 'eyJhbGciOiJFZERTQSIsImtpZCI6Ii4uLiJ9.eyJpYXQiOjE3OTU0NjM0NjB9.c2lnbmF0dXJl';
const timeExample = '2026-11-23T03:00:00.000Z';

const broken = z.strictObject({ chain: z.string(), key: keyIdentifier.optional(), ...brokenLink });

const firstBroken = z.array(broken).meta({ description: 'The first of them.' });

const result = z.strictObject({
  startedAt: time,
  finishedAt: time,
  chains: count.meta({ description: 'Chains that were verified.' }),
  brokenCount: count,
  broken: firstBroken,
});

const state = z
  .strictObject({
    last: result.optional().meta({ description: 'The last verification that finished. Absent: none has.' }),
    running: z
      .strictObject({ startedAt: time, chains: count, brokenCount: count, broken: firstBroken })
      .optional()
      .meta({ description: 'The verification in progress.' }),
  })
  .meta({
    id: 'AuditVerificationState',
    examples: [{ last: { startedAt: timeExample, finishedAt: timeExample, chains: 1200, brokenCount: 0, broken: [] } }],
  });

const checkpoint = z
  .strictObject({ run: time, page: count, checkpoint: jws })
  .meta({ id: 'AuditCheckpoint', description: 'Heads of verified chains, signed (docs/envelope.md).' });

export const receipts = z
  .strictObject({
    receipts: z.array(z.strictObject({ accountId: guid, sequence: count, receipt: jws })),
    keys: jwkSet.shape.keys.meta({ description: 'The public keys, so that a saved answer can be verified offline.' }),
  })
  .meta({
    id: 'RevocationReceipts',
    examples: [{ receipts: [{ accountId: accountExample, sequence: 9, receipt: jwsExample }], keys: [] }],
  });

export const attestationContracts = {
  state: {
    summary: 'Returns the result of the daily verification of all chains',
    answers: { 200: state },
  },
  checkpoints: {
    summary: 'Lists the signed checkpoints of the last 30 days, the oldest first',
    query: paging,
    answers: {
      200: pageOf('AuditCheckpointList', checkpoint, [{ run: timeExample, page: 1, checkpoint: jwsExample }]),
    },
  },
  receipts: {
    summary: "Returns the signed receipts of an account's revocations, the newest last",
    query: { accountId: guid.optional().meta({ description: 'Which of the accounts of this name.' }) },
    answers: { 200: receipts },
  },
  jwks: {
    summary: 'Returns all public keys that ever verified receipts and checkpoints',
    answers: { 200: jwkSet },
    headers: { 200: ['Cache-Control'] },
  },
} as const satisfies Record<string, Contract>;
