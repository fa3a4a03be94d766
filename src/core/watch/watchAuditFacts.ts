/**
 * What a change of a watch tells beside its verdicts, once when it comes about and not with every look: a key version that comes
 * near its expiry, or passes it; our own identity, that could not be used for the binding and can be again. Pure.
 */
import type { AuditFacts } from '../audit/auditEntry.ts';
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
    // That a new version cannot be used is told as such, with the cause.
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
