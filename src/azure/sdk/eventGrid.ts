/** The SDK of Event Grid. Its parts that Keyward uses are a file of the built app (build.ts). */
export { EventGridPublisherClient } from '@azure/eventgrid';
