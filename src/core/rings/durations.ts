/** How long the steps of a ring's rotation wait for one another, in milliseconds. */

/** A process that uses its rings reads them again when they are older. */
export const ringAgeMs = 60_000;
/** Every process that is in use has read its rings several times. */
export const arrivingMs = 5 * ringAgeMs;
/** From the activation on, until nobody seals with an older generation but who is held up, or cannot open the newest. */
export const settleMs = 2 * ringAgeMs;
/** Longer than any handler may run (`functionTimeout` in host.json: 10 minutes). */
export const olderKeyWaitMs = 15 * 60_000;
/**
 * How long after the activation a process that cannot open the newest KEK seals with the one before: what it seals on the strength of
 * rings that are `arrivingMs` old is saved before the older ones can be retiring.
 */
export const oldKekGraceMs = olderKeyWaitMs - arrivingMs - ringAgeMs;
/** What is sealed and saved within this time of reading the rings is saved before its generation can be retiring. */
export const sureMs = 10 * 60_000;
