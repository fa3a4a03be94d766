/**
 * One invocation, in the order of the Node worker (azure-functions-nodejs-worker, InvocationHandler): arguments,
 * preInvocation hooks, the function, postInvocation hooks, the response. A preInvocation hook that throws fails the
 * call and skips the postInvocation hooks; a postInvocation hook can change result and error.
 *
 * When an invocation exceeds functionTimeout, the real host restarts the worker process, which fails every invocation
 * in flight. This host fails them too, but the code of the app continues in the same process.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import type { LoadedFunction } from './functionInfo.ts';
import { insideApp } from './functionsCore.ts';
import { type InvocationRecords, recordsOf } from './invocationRecords.ts';
import { type InvocationName, type Log, runAs } from './logs.ts';
import type { Registration } from './registration.ts';
import type { CoreInvocationContext, FunctionCallback, InvocationResponse, TypedData } from './rpc.ts';

export interface Invocation {
  /** Made up when absent. */
  invocationId?: string;
  data: TypedData;
  triggerMetadata?: Record<string, TypedData>;
  /** W3C trace context of the caller; made up when absent. */
  traceParent?: string;
}

export type Outcome =
  | { kind: 'Succeeded'; invocationId: string; response: InvocationResponse }
  | { kind: 'Failed'; invocationId: string; error: unknown };

export interface Invoker {
  /** Never rejects: each trigger decides what a failure means. */
  invoke(target: LoadedFunction, invocation: Invocation): Promise<Outcome>;
  /** An invocation whose data does not bind, so that it fails before the app has it. */
  fail(target: LoadedFunction, error: Error): Outcome;
  readonly inFlight: number;
  /** Resolves when no invocation is in flight. */
  idle(): Promise<void>;
}

const newTraceParent = () => `00-${randomBytes(16).toString('hex')}-${randomBytes(8).toString('hex')}-01`;

/** Data that hooks share for one scope. They can change it, but not replace it. */
function hookContext<T extends object>(fields: T, hookData: object, appHookData: object): T {
  for (const [name, value] of Object.entries({ hookData, appHookData })) {
    Object.defineProperty(fields, name, { value, enumerable: true });
  }
  return fields;
}

async function runHooks(registration: Registration, name: 'preInvocation' | 'postInvocation', context: object) {
  for (const hook of registration.hooks(name)) await hook(context);
}

async function runModel(
  registration: Registration,
  core: CoreInvocationContext,
  callback: FunctionCallback,
  appHookData: object,
): Promise<InvocationResponse> {
  if (registration.model === undefined) throw new Error('The app has set no programming model.');
  const model = await registration.model.getInvocationModel(core);
  const { context, inputs } = await model.getArguments();
  const hookData = {};

  const pre = hookContext({ invocationContext: context, inputs, functionCallback: callback }, hookData, appHookData);
  core.state = 'preInvocationHooks';
  await runHooks(registration, 'preInvocation', pre);

  const post = hookContext(
    { invocationContext: context, inputs: pre.inputs, result: null as unknown, error: null as unknown },
    hookData,
    appHookData,
  );
  core.state = 'invocation';
  try {
    post.result = await model.invokeFunction(context, pre.inputs, pre.functionCallback);
  } catch (error) {
    post.error = error ?? new Error('The function threw nothing.');
  }
  core.state = 'postInvocationHooks';
  await runHooks(registration, 'postInvocation', post);
  core.state = undefined;

  if (post.error !== null && post.error !== undefined) throw post.error;
  return await model.getResponse(context, post.result);
}

export function createInvoker(
  registration: Registration,
  appHookData: object,
  timeoutMs: number | undefined,
  log: Log,
): Invoker {
  const running = new Set<Promise<Outcome>>();
  let worker = new AbortController();

  /** The result, or a rejection as soon as the worker would be restarted. */
  async function untilRestart<T>(records: InvocationRecords, work: Promise<T>): Promise<T> {
    const { signal } = worker;
    const { promise: restarted, reject } = Promise.withResolvers<never>();
    const onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort);
    const expire = (ms: number) => {
      const message = records.timedOut(ms);
      const before = worker;
      worker = new AbortController();
      before.abort(new Error(`${message} The host restarts the worker.`));
    };
    const timer = timeoutMs === undefined ? undefined : setTimeout(expire, timeoutMs, timeoutMs);
    work.catch(() => undefined);
    try {
      return await Promise.race([work, restarted]);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    }
  }

  async function run(target: LoadedFunction, invocation: Invocation): Promise<Outcome> {
    const { metadata, callback } = target.registered;
    const name: InvocationName = {
      functionName: metadata.name,
      invocationId: invocation.invocationId ?? randomUUID(),
    };
    const { invocationId } = name;
    const core: CoreInvocationContext = {
      invocationId,
      request: {
        invocationId,
        inputData: [{ name: target.bindingName, data: invocation.data }],
        triggerMetadata: invocation.triggerMetadata ?? {},
        traceContext: { traceParent: invocation.traceParent ?? newTraceParent(), traceState: '', attributes: {} },
      },
      metadata,
      state: undefined,
      log: (level, category, message) => registration.log(level, category, message),
    };
    const records = recordsOf(target.info, name, log);
    records.started();
    try {
      const work = insideApp(registration, () =>
        runAs(name, () => runModel(registration, core, callback, appHookData)),
      );
      const response = await untilRestart(records, work);
      records.succeeded();
      return { kind: 'Succeeded', invocationId, response };
    } catch (error) {
      records.failed(error);
      return { kind: 'Failed', invocationId, error };
    }
  }

  return {
    invoke(target, invocation) {
      const promise = run(target, invocation);
      running.add(promise);
      return promise.finally(() => running.delete(promise));
    },
    fail(target, error) {
      const name = { functionName: target.info.name, invocationId: randomUUID() };
      const records = recordsOf(target.info, name, log);
      records.started();
      records.failed(error);
      return { kind: 'Failed', invocationId: name.invocationId, error };
    },
    get inFlight() {
      return running.size;
    },
    async idle() {
      while (running.size > 0) await Promise.all(running);
    },
  };
}
