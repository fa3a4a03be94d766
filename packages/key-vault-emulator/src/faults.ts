/** Faults on demand: which requests they affect, how often, and how. */
import { randomUUID } from 'node:crypto';
import type { Refusal } from './errors.ts';
import { throttled } from './refusals.ts';
import type { Operation } from './routes.ts';

export type FaultAction =
  /** Any status, with a JSON error, an HTML page (a proxy's) or nothing in the body. */
  | {
      action: 'status';
      status: number;
      body: 'json' | 'html' | 'empty';
      code?: string | undefined;
      message?: string | undefined;
      retryAfter?: number | string | undefined;
      headers?: Record<string, string> | undefined;
    }
  | { action: 'throttled'; retryAfter?: number | string | undefined }
  /** 403 with this inner code, after the token was verified. Absent: no inner code. */
  | { action: 'forbidden'; inner?: string | undefined; message?: string | undefined }
  /** The socket is destroyed. */
  | { action: 'reset' }
  /** No answer, ever. */
  | { action: 'hang' }
  /** The network fails on the client's side with this code (ENOTFOUND, EAI_AGAIN, CERT_HAS_EXPIRED, ...). */
  | { action: 'network'; code: string }
  /** Unwrap and decrypt succeed with the wrong bytes. */
  | { action: 'wrongUnwrap' }
  /** Only the delay, before the emulator reads the request. */
  | { action: 'delay' }
  /** The emulator computes the answer at once and sends it after the delay, when it can be outdated. */
  | { action: 'lateAnswer' };

export type Fault = FaultAction & {
  id: string;
  vault?: string | undefined;
  key?: string | undefined;
  operation?: Operation | undefined;
  /** How many more requests it affects; absent: all until it is cleared. */
  count?: number | undefined;
  delayMs?: number | undefined;
};

/** The step of a request at which a fault acts. */
type Stage = 'arrival' | 'verified' | 'result' | 'answered';

function stageOf(fault: Fault): Stage {
  if (fault.action === 'forbidden') return 'verified';
  if (fault.action === 'lateAnswer') return 'answered';
  return fault.action === 'wrongUnwrap' ? 'result' : 'arrival';
}

export type Target = { vault: string; key?: string | undefined; operation?: Operation | undefined };

export type Faults = {
  list(): Fault[];
  add(fault: FaultAction & Omit<Fault, 'id' | 'action'>): Fault;
  remove(id: string): boolean;
  clear(): void;
  /**
   * Takes the faults that act on this request at this stage: the delays up to the first fault that answers, and that
   * fault.
   */
  take(stage: Stage, target: Target): Fault[];
};

export function createFaults(): Faults {
  let faults: Fault[] = [];
  return {
    list: () => faults,
    add(input) {
      const fault = { ...input, id: randomUUID() } as Fault;
      faults.push(fault);
      return fault;
    },
    remove(id) {
      const before = faults.length;
      faults = faults.filter((fault) => fault.id !== id);
      return faults.length < before;
    },
    clear() {
      faults = [];
    },
    take(stage, target) {
      const taken: Fault[] = [];
      for (const fault of faults) {
        if (stageOf(fault) !== stage || !matches(fault, target)) continue;
        taken.push(fault);
        if (fault.count !== undefined) fault.count -= 1;
        if (fault.action !== 'delay') break;
      }
      faults = faults.filter((fault) => fault.count !== 0);
      return taken;
    },
  };
}

function matches(fault: Fault, target: Target): boolean {
  return (
    (fault.vault === undefined || same(fault.vault, target.vault)) &&
    (fault.key === undefined || (target.key !== undefined && same(fault.key, target.key))) &&
    (fault.operation === undefined || fault.operation === target.operation)
  );
}

function same(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

const HTML = '<html><head><title>Service Unavailable</title></head><body><h1>Service Unavailable</h1></body></html>';

export type FaultAnswer = { status: number; headers: Record<string, string>; body: string };

export function statusAnswer(fault: Extract<FaultAction, { action: 'status' }>): FaultAnswer {
  const code = fault.code ?? (fault.status >= 500 ? 'InternalServerError' : 'BadRequest');
  const message = fault.message ?? 'An error occurred.';
  const bodies = {
    json: ['application/json; charset=utf-8', JSON.stringify({ error: { code, message } })],
    html: ['text/html', HTML],
    empty: ['', ''],
  } as const;
  const [type, body] = bodies[fault.body];
  return {
    status: fault.status,
    headers: {
      ...(type === '' ? {} : { 'content-type': type }),
      ...(fault.retryAfter === undefined ? {} : { 'retry-after': String(fault.retryAfter) }),
      ...fault.headers,
    },
    body,
  };
}

export function throttledByFault(fault: Extract<FaultAction, { action: 'throttled' }>): Refusal {
  const refusal = throttled();
  return fault.retryAfter === undefined
    ? refusal
    : { ...refusal, headers: { 'retry-after': String(fault.retryAfter) } };
}

export function forbiddenByFault(fault: Extract<FaultAction, { action: 'forbidden' }>): Refusal {
  return { status: 403, code: 'Forbidden', message: fault.message ?? 'Access denied.', inner: fault.inner };
}
