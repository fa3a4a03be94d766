/**
 * Milliseconds since 1970-01-01T00:00Z: the only unit of time inside Keyward. Texts at its edges are in ISO 8601. A
 * number of seconds has the unit in its name.
 */
export type EpochMs = number;

/** `2026-11-23T19:49:00.000Z`: every time that leaves the process has this form. */
export function iso(at: EpochMs): string {
  // biome-ignore lint/style/noRestrictedGlobals: formats the instant it is given; it reads no clock.
  return new Date(at).toISOString();
}

/** For JSON that has no property for a time that is not known: `defined({ endTime: optionalIso(endedAt) })`. */
export const optionalIso = (at: EpochMs | undefined): string | undefined => (at === undefined ? undefined : iso(at));

/** The instant of a text that `iso` made. */
export function instantOf(text: string): EpochMs {
  // biome-ignore lint/style/noRestrictedGlobals: reads the text it is given, and no clock.
  return Date.parse(text);
}
