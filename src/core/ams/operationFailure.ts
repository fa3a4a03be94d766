/** The failure of an operation: whether it is retried, and what its caller reads about it. */
import { classOf, isCause, remedyOf } from '../base/causes.ts';
import { defined } from '../base/defined.ts';
import { type KeywardError, Unavailable } from '../base/errors.ts';
import { parseKeyIdentifier } from '../customerKey/keyIdentifier.ts';
import type { AmsDeps } from './deps.ts';
import type { Change, Failure } from './operation.ts';

/** The customer's vault did not answer, or throttled. Any other failure is Keyward's, and the caller tries again. */
export const isUnreachable = (error: unknown): error is Unavailable =>
  error instanceof Unavailable &&
  !isDenial(error) &&
  (error.code === 'CustomerKeyUnreachable' || (isCause(error.code) && classOf(error.code) === 'unreachable'));

/** The account's key is denied. Only the customer can end that, so the change does not wait. */
export function isDenial({ code, extras }: KeywardError): boolean {
  const cause = extras.info?.cause;
  return (
    code === 'CustomerKeyUnreachable' && typeof cause === 'string' && isCause(cause) && classOf(cause) === 'denied'
  );
}

/** Callers see code and message only, and the two contain cause and remedy. */
export function failureOf({ code, message, extras }: KeywardError, change: Change, deps: AmsDeps): Failure {
  const { info, details } = extras;
  const cause = info?.cause ?? (isCause(code) ? code : undefined);
  const withCause = cause === undefined || cause === code ? message : `${message} Cause: ${cause}.`;
  const remedy = typeof cause === 'string' && isCause(cause) ? remedyOf(cause, keyIn(change, deps)) : '';
  const others = (details ?? []).map((detail) => detail.message).filter((text) => !message.includes(text));
  const whole = [withCause, message.includes(remedy) ? '' : remedy, ...others].filter(Boolean).join(' ');
  return { code, message: whole, ...defined({ details }) };
}

function keyIn({ input }: Change, { cloud }: AmsDeps): { vaultName: string; keyName: string } {
  if (input.encryption?.type !== 'CustomerKey') return { vaultName: '<vault>', keyName: '<key>' };
  return parseKeyIdentifier(input.encryption.keyIdentifier, cloud);
}
