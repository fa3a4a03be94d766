/** The HTTP pipeline of all Azure SDKs. Its parts that Keyward uses are a file of the built app (build.ts). */
export {
  createDefaultHttpClient,
  createHttpHeaders,
  createPipelineRequest,
  type HttpClient,
  type PipelineRequest,
  type PipelineResponse,
  RestError,
} from '@azure/core-rest-pipeline';
