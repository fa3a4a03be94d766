/** The log of the core: constant messages, and fields from a closed list. */
import type { Cause } from './causes.ts';
import type { DataKeyOperation, Flaw, RingName, RingPhase, SecretKind, WrappingRole } from './vocabulary.ts';

/**
 * The messages are constant and the fields vary. Neither holds key material, tokens, wrapped blobs, query strings or
 * upstream bodies.
 */
export interface Log {
  info<F extends LogFields>(message: string, fields?: Known<F>): void;
  warn<F extends LogFields>(message: string, fields?: Known<F>): void;
  error<F extends LogFields>(message: string, fields?: Known<F>): void;
}

/** Every field that a log line can have. The core cannot log any other. */
interface FieldTypes {
  /** Names that Keyward chose. */
  table: string;
  account: string;
  owner: string;
  bindingId: string;
  vault: string;
  visit: string;
  key: string;
  version: string;
  secret: string;
  /** Table, partition key and row key of a damaged row. */
  row: string;
  resource: string;
  kind: SecretKind;
  operation: DataKeyOperation;
  first: string;
  actorKind: string;
  actor: string;
  chain: string;
  /** SHA-256 of a signed checkpoint, base64url. */
  hash: string;
  /** The id of the invocation: the `x-ms-request-id` of the answer. */
  requestId: string;
  /** The stack frames of an unexpected error, without its message. */
  frames: string;
  eventId: string;
  eventType: string;
  keyVaultRequestId: string;
  /** Words of closed lists. */
  cause: Cause | 'none';
  controlLook: 'good' | 'failed';
  ring: RingName;
  flaw: Flaw;
  phase: RingPhase;
  role: WrappingRole;
  /** Names of settings, separated by spaces. */
  settings: string;
  /** The result of `describeError`. */
  error: string;
  /** Numbers. */
  durationMs: number;
  lateMs: number;
  refusedMs: number;
  restoredMs: number;
  aheadMs: number;
  sinceMs: number;
  range: number;
  ranges: number;
  targets: number;
  woken: number | boolean;
  events: number;
  strange: number;
  left: number;
  cleared: number;
  count: number;
  found: number;
  moved: number;
  stuck: number;
  round: number;
  visited: number;
  generation: number;
  sealing: number;
  sequence: number;
  /** Fields of metrics (metrics.ts). */
  metric: string;
  value: number;
  status: string;
  from: string;
  to: string;
  result: string;
  code: string;
}

export type LogFields = { readonly [Name in keyof FieldTypes]?: FieldTypes[Name] | undefined };

/** Rejects other fields also when a spread brings them. */
type Known<F> = F & { readonly [Name in Exclude<keyof F, keyof LogFields>]: never };
