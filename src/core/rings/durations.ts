/** The waiting times between the steps of a ring's rotation, in milliseconds. */

/** A process reads its rings again when its copy is older. */
export const ringAgeMs = 60_000;
/** Within this time every active process has read its rings several times. */
export const arrivingMs = 5 * ringAgeMs;
/**
 * After the activation: from then on only a delayed writer, or one that cannot decrypt the newest KEK, seals with an
 * older one.
 */
export const settleMs = 2 * ringAgeMs;
/** Longer than any handler may run (`functionTimeout` in host.json: 10 minutes). */
export const olderKeyWaitMs = 15 * 60_000;
/**
 * How long after the activation a process that cannot decrypt the newest KEK seals with the one before. What it seals
 * with rings that are `arrivingMs` old is saved before the older ones can be retiring.
 */
export const oldKekGraceMs = olderKeyWaitMs - arrivingMs - ringAgeMs;
/**
 * Data that is sealed and saved within this time after the rings were read is saved before its generation can be
 * retiring.
 */
export const freshMs = 10 * 60_000;
