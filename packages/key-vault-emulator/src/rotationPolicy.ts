/**
 * A key's rotation policy: shape, rules and due times. Key Vault docs, keys/how-to-configure-key-rotation: at least
 * seven days; `expiryTime` applies to new versions only; `Notify` moves the near-expiry event from 30 days before.
 */
import * as z from 'zod';
import { DAY_MS } from './clock.ts';

const duration = z.string().refine((text) => durationDays(text) !== undefined, 'an ISO 8601 duration of days or more');

const lifetimeAction = z.object({
  trigger: z.object({ timeAfterCreate: duration.nullish(), timeBeforeExpiry: duration.nullish() }),
  action: z.object({ type: z.string().transform((type) => (type.toLowerCase() === 'rotate' ? 'Rotate' : 'Notify')) }),
});

export const rotationPolicySchema = z.object({
  lifetimeActions: z.array(lifetimeAction).nullish(),
  attributes: z.object({ expiryTime: duration.nullish() }).nullish(),
});

export type RotationPolicy = {
  lifetimeActions: z.infer<typeof lifetimeAction>[];
  expiryTime?: string;
  /** Seconds since 1970. */
  created: number;
  updated: number;
};

const DEFAULT_NOTIFY_DAYS = 30;
const MINIMUM_DAYS = 7;

/** Years, months, weeks and days; the service counts 365 days for a year and 30 for a month. */
export function durationDays(text: string): number | undefined {
  const match = /^P(?=\d)(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?$/.exec(text);
  if (!match) return undefined;
  const [years = 0, months = 0, weeks = 0, days = 0] = match.slice(1).map((part) => Number(part ?? 0));
  return years * 365 + months * 30 + weeks * 7 + days;
}

/** The error in the policy, or undefined. */
export function policyError(policy: z.infer<typeof rotationPolicySchema>): string | undefined {
  const times = (policy.lifetimeActions ?? []).flatMap(({ trigger }) => [
    trigger.timeAfterCreate,
    trigger.timeBeforeExpiry,
  ]);
  for (const time of [...times, policy.attributes?.expiryTime]) {
    if (time && (durationDays(time) ?? 0) < MINIMUM_DAYS) return `The duration ${time} is shorter than 7 days.`;
  }
  return undefined;
}

export function policyBody(keyUrl: string, policy: RotationPolicy | undefined): unknown {
  if (policy === undefined) return { lifetimeActions: null, attributes: null };
  const { lifetimeActions, expiryTime, created, updated } = policy;
  return {
    id: `${keyUrl}/rotationpolicy`,
    lifetimeActions,
    attributes: { ...(expiryTime === undefined ? {} : { expiryTime }), created, updated },
  };
}

/** The exp that the policy gives to a version created now, in seconds. */
export function expiryOfNewVersion(policy: RotationPolicy | undefined, nowMs: number): number | undefined {
  const days = policy?.expiryTime === undefined ? undefined : durationDays(policy.expiryTime);
  return days === undefined ? undefined : Math.floor((nowMs + days * DAY_MS) / 1000);
}

type Lifetime = { created: number; exp?: number };

/** When the version's near-expiry event is due, in milliseconds; undefined for a version that does not expire. */
export function nearExpiryAt(policy: RotationPolicy | undefined, version: Lifetime): number | undefined {
  if (version.exp === undefined) return undefined;
  return actionTime(policy, 'Notify', version) ?? version.exp * 1000 - DEFAULT_NOTIFY_DAYS * DAY_MS;
}

/** When the service creates the next version automatically, in milliseconds. */
export function rotationAt(policy: RotationPolicy | undefined, version: Lifetime): number | undefined {
  return actionTime(policy, 'Rotate', version);
}

function actionTime(policy: RotationPolicy | undefined, type: string, version: Lifetime): number | undefined {
  for (const { trigger, action } of policy?.lifetimeActions ?? []) {
    if (action.type !== type) continue;
    if (trigger.timeAfterCreate) {
      return version.created * 1000 + (durationDays(trigger.timeAfterCreate) ?? 0) * DAY_MS;
    }
    if (trigger.timeBeforeExpiry && version.exp !== undefined) {
      return version.exp * 1000 - (durationDays(trigger.timeBeforeExpiry) ?? 0) * DAY_MS;
    }
  }
  return undefined;
}
