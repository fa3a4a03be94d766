/** Publishes announcements to Azure Event Grid: CloudEvents in batches, with the app's own identity. */

import type { TokenCredential } from '@azure/identity';
import type { Announcement } from '../core/announcements/announcement.ts';
import type { AnnouncementTopic } from '../core/announcements/ports.ts';
import { throughEmulator } from './emulators.ts';
import { inTime } from './inTime.ts';
import { EventGridPublisherClient } from './sdk/eventGrid.ts';
import { RestError } from './sdk/http.ts';

/** The time limit of a publication. No caller waits for it, and the sweep publishes what is not done in time. */
const deadlineMs = 10_000;
/** The SDK retries once and soon. The sweep retries later. */
const retryOptions = { maxRetries: 1, retryDelayInMs: 200, maxRetryDelayInMs: 1_000 };

export function createAnnouncementTopic(endpoint: string, credential: TokenCredential): AnnouncementTopic {
  const { origin, pathname } = new URL(endpoint);
  const secure = origin.replace(/^http:/, 'https:');
  const network = secure === origin ? {} : { httpClient: throughEmulator(secure, origin) };
  const client = new EventGridPublisherClient(secure + pathname, 'CloudEvent', credential, {
    retryOptions,
    ...network,
  });

  return {
    async publish(announcements) {
      const events = announcements.map(cloudEventOf);
      try {
        await inTime((abortSignal) => client.send(events, { abortSignal }), deadlineMs);
        return { outcome: 'published' };
      } catch (error) {
        return { outcome: isRefusal(error) ? 'refused' : 'failed', status: statusOf(error) };
      }
    },
  };
}

const cloudEventOf = ({ time, ...event }: Announcement) => ({ ...event, time: new Date(time) });

/** Event Grid answers 400 to an event outside the topic's schema and 413 to one that is too large, on every retry. */
const isRefusal = (error: unknown): boolean =>
  error instanceof RestError && (error.statusCode === 400 || error.statusCode === 413);

/** The HTTP status, or a word when there is none. Never the message, which can hold text of another party. */
function statusOf(error: unknown): string {
  if (error instanceof RestError) return String(error.statusCode ?? error.code ?? error.name);
  return error instanceof Error ? error.name : 'unknown';
}
