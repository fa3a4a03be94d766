/** The two schemas of Event Grid, and how both write a time. */

export type EventSchema = 'eventGrid' | 'cloudEvents';

/** Seven digits of a second, as the platform writes it. */
export function eventTime(ms: number): string {
  return new Date(ms).toISOString().replace('Z', '0000Z');
}
