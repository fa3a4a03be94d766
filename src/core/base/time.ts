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

/** The instant of a text that `iso` made. */
export function instantOf(text: string): EpochMs {
  // biome-ignore lint/style/noRestrictedGlobals: reads the text it is given, and no clock.
  return Date.parse(text);
}

export const seconds = (n: number): number => n * 1000;
export const minutes = (n: number): number => n * 60_000;
