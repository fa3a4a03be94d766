/** The wire form of a refusal, and the error that carries it. The refusals themselves are in refusals.ts. */
import type { Answers } from './answers.ts';

export type Refusal = {
  status: number;
  code: string;
  message: string;
  inner?: string | undefined;
  headers?: Record<string, string>;
};

/** Thrown by an operation; the data plane and the control API turn it into an answer. */
export class Refused extends Error {
  readonly refusal: Refusal;
  constructor(refusal: Refusal) {
    super(refusal.message);
    this.name = 'Refused';
    this.refusal = refusal;
  }
}

/** The error body; the cause of a 403 is the inner code. */
export function errorBody(refusal: Refusal, answers?: Pick<Answers, 'innerErrors'>): unknown {
  const inner = answers?.innerErrors === false ? undefined : refusal.inner;
  return {
    error: {
      code: refusal.code,
      message: refusal.message,
      ...(inner === undefined ? {} : { innererror: { code: inner } }),
    },
  };
}

export type Caller = { oid: string; appid: string; iss: string };
