/**
 * The audit facts of a change of a watch beside its verdicts. Each is reported once, when it begins, and not with every
 * look: a key version that is near or past its expiry, and an identity of Keyward that stopped or started to work for
 * the binding. Pure.
 */
import type { AuditFacts } from '../audit/auditFacts.ts';
import { iso } from '../base/time.ts';
import type { Watch } from './watch.ts';

const keyward = { kind: 'keyward', id: 'watch' } as const;

export const occurrenceFacts = (before: Watch, after: Watch): AuditFacts[] => [
  ...expiryFacts(before, after),
  ...identityFacts(before, after),
];

function expiryFacts(before: Watch, after: Watch): AuditFacts[] {
  if (before.expiries === after.expiries) return [];
  return Object.entries(after.expiries ?? {}).flatMap(([key, { warning, expiresOn }]) => {
    // A new version that cannot be used has its own entry, with the cause.
    if (warning === undefined || expiresOn === undefined || key === after.unusableVersion?.version) return [];
    if (warning === before.expiries?.[key]?.warning) return [];
    return [{ type: warning, actor: keyward, key, expiresOn: iso(expiresOn) }];
  });
}

function identityFacts(before: Watch, after: Watch): AuditFacts[] {
  const [was, is] = [before.identityTroubleSince !== undefined, after.identityTroubleSince !== undefined];
  if (was === is) return [];
  return is
    ? [{ type: 'IdentityUnavailable', actor: keyward, cause: 'IdentityUnavailable' }]
    : [{ type: 'IdentityAvailable', actor: keyward }];
}
