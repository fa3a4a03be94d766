/**
 * An Event Grid topic on this machine for Keyward's announcements. It accepts batches of CloudEvents as the service
 * does (Microsoft docs: "Publish events to Azure Event Grid custom topics", "CloudEvents v1.0 schema", "Azure Event
 * Grid quotas and limits"), by bearer token only, and stores them. A test can make it fail. It has no subscriptions.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import * as z from 'zod';
import { answer, header, readBody } from '../../../packages/functions-host/src/httpMessage.ts';
import { startServer } from '../../../packages/functions-host/src/server.ts';
import { createSenderCheck } from './senders.ts';

export interface TopicOptions {
  /** The URL of the token issuer. */
  readonly identityUrl: string;
  readonly tenantId: string;
  /** Object ids with the role EventGrid Data Sender. */
  readonly senders: readonly string[];
  readonly onPublished?: (event: CloudEvent) => void;
}

/** A status for every request or only for batches with such an event; or no answer. */
export type TopicFault = { readonly status: number; readonly about?: (event: CloudEvent) => boolean } | 'hang';

export interface Topic {
  readonly url: string;
  /** The URL to publish to. */
  readonly endpoint: string;
  /** Oldest first; an event that was published twice is here twice. */
  readonly published: readonly CloudEvent[];
  /** The number of requests to publish, failed ones included. */
  readonly requests: number;
  /** Sets the fault from now on; without an argument it ends the fault. */
  fail(fault?: TopicFault): void;
  stop(): Promise<void>;
}

const word = z.string().min(1);
/** Required and optional attributes (CloudEvents 1.0); extensions have names of lower-case letters and digits. */
const cloudEvent = z
  .object({
    specversion: z.literal('1.0'),
    id: word,
    source: word,
    type: word,
    subject: word.optional(),
    time: z.iso.datetime({ offset: true }).optional(),
    datacontenttype: word.optional(),
    dataschema: word.optional(),
    data: z.unknown().optional(),
  })
  .catchall(z.unknown())
  .refine((event) => Object.keys(event).every((name) => /^[a-z0-9]+$/.test(name) || name === 'data_base64'));
export type CloudEvent = z.infer<typeof cloudEvent>;

const batchType = /^application\/cloudevents-batch\+json(;\s*charset=utf-8)?$/i;
const maxBytes = 1_048_576;
const maxEvents = 5_000;

export async function startTopic(options: TopicOptions): Promise<Topic> {
  const isSender = createSenderCheck(options);
  const published: CloudEvent[] = [];
  let fault: TopicFault | undefined;
  let requests = 0;

  async function publish(request: IncomingMessage, response: ServerResponse): Promise<void> {
    requests += 1;
    if (fault === 'hang') return;
    const body = await readBody(request);
    if (body === undefined) return;
    const events = readBatch(header(request, 'content-type'), body);
    if (fault !== undefined && isAffected(events, fault)) return refuse(response, fault.status, 'A fault was set.');
    if (!(await isSender(header(request, 'authorization'))))
      return refuse(response, 401, 'The principal does not have permission to send data to this topic.');
    if ('status' in events) return refuse(response, events.status, events.why);
    answer(response, 200);
    for (const event of events) {
      published.push(event);
      options.onPublished?.(event);
    }
  }

  const server = await startServer(
    { port: 0, maxBodyBytes: 2 * maxBytes },
    async (request, response, { pathname, searchParams }) => {
      if (pathname === '/control/events') return answer(response, 200, published);
      if (request.method !== 'POST' || pathname !== '/api/events') return refuse(response, 404, 'Not found.');
      if (searchParams.get('api-version') !== '2018-01-01') return refuse(response, 400, 'The api-version is wrong.');
      await publish(request, response);
    },
    () => undefined,
  );
  return {
    url: server.url,
    endpoint: `${server.url}/api/events`,
    published,
    get requests() {
      return requests;
    },
    fail(how) {
      fault = how;
    },
    stop: () => server.close(),
  };
}

type Refused = { readonly status: number; readonly why: string };

function readBatch(contentType: string | undefined, body: Buffer): CloudEvent[] | Refused {
  if (body.length > maxBytes) return { status: 413, why: 'The maximum size (1048576) has been exceeded.' };
  if (!batchType.test(contentType ?? '')) return { status: 400, why: 'This topic takes batches of CloudEvents.' };
  const events = z.array(cloudEvent).min(1).max(maxEvents).safeParse(parsed(body));
  return events.success ? events.data : { status: 400, why: z.prettifyError(events.error) };
}

function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}

const isAffected = (events: CloudEvent[] | Refused, { about }: Exclude<TopicFault, 'hang'>): boolean =>
  about === undefined || (Array.isArray(events) && events.some(about));

const codes: Readonly<Record<number, string>> = { 400: 'BadRequest', 401: 'Unauthorized', 413: 'PayloadTooLarge' };

const refuse = (response: ServerResponse, status: number, message: string): void =>
  answer(response, status, { error: { code: codes[status] ?? 'InternalServerError', message } });
