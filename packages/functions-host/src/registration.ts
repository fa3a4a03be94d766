/**
 * The functions, hooks and programming model that an app registers while it loads. Names are checked as the Functions
 * host checks them, and registration ends with loading (azure-functions-nodejs-worker, coreApi/registerFunction).
 */
import type { FunctionCallback, FunctionMetadata, LogCategory, LogLevel, ProgrammingModel } from './rpc.ts';

const hookNames = ['appStart', 'appTerminate', 'preInvocation', 'postInvocation', 'log'] as const;
export type HookName = (typeof hookNames)[number];
export type HookCallback = (context: unknown) => unknown;

export interface Registered {
  metadata: FunctionMetadata;
  callback: FunctionCallback;
}

export interface Disposable {
  dispose(): void;
}

export type RegistrationLog = (level: LogLevel, category: LogCategory, message: string) => void;
export type ConsoleLog = (level: LogLevel, line: string) => void;

export interface Registration {
  /** By name as written; names that differ only in case are refused. */
  readonly functions: ReadonlyMap<string, Registered>;
  readonly model: ProgrammingModel | undefined;
  readonly log: RegistrationLog;
  readonly logConsole: ConsoleLog;
  /** True once the app's `@azure/functions` has loaded the core API of this host. */
  coreRequired: boolean;
  register(metadata: FunctionMetadata, callback: FunctionCallback): Disposable;
  addHook(name: string, callback: HookCallback): Disposable;
  setModel(model: ProgrammingModel): void;
  /** In order of registration; each can be asynchronous and can throw. */
  hooks(name: HookName): readonly HookCallback[];
  /** Ends the startup; later calls of `app.*` are refused. */
  close(): void;
}

const functionName = /^[a-z][a-z0-9_-]{0,127}$/i;
const bindingName = /^[a-z][a-z0-9]{0,127}$/i;

function problemWithNames(metadata: FunctionMetadata): string | undefined {
  const { name } = metadata;
  if (!functionName.test(name) || name.toLowerCase() === 'host') {
    return `'${name}' is not a function name: a letter, then up to 127 letters, digits, '_' or '-', and not 'host'`;
  }
  const bad = Object.keys(metadata.bindings).find((key) => key !== '$return' && !bindingName.test(key));
  return bad === undefined ? undefined : `function '${name}': '${bad}' is not a binding name: letters and digits only`;
}

export function createRegistration(log: RegistrationLog, logConsole: ConsoleLog): Registration {
  const functions = new Map<string, Registered>();
  const hooks = new Map<HookName, HookCallback[]>(hookNames.map((name) => [name, []]));
  let model: ProgrammingModel | undefined;
  let open = true;

  return {
    functions,
    log,
    logConsole,
    coreRequired: false,
    get model() {
      return model;
    },
    register(metadata, callback) {
      if (!open) throw new Error('A function can only be registered during app startup.');
      const problem = problemWithNames(metadata);
      if (problem !== undefined) throw new Error(problem);
      const taken = [...functions.keys()].find((name) => name.toLowerCase() === metadata.name.toLowerCase());
      if (taken !== undefined) throw new Error(`A function with the name '${taken}' has already been registered.`);
      functions.set(metadata.name, { metadata, callback });
      return {
        dispose() {
          if (!open) throw new Error('A function can only be disposed during app startup.');
          functions.delete(metadata.name);
        },
      };
    },
    addHook(name, callback) {
      const list = hooks.get(name as HookName);
      if (list === undefined) throw new RangeError(`Unrecognized hook "${name}"`);
      list.push(callback);
      return { dispose: () => void list.splice(list.indexOf(callback), 1) };
    },
    setModel(next) {
      if (!open) throw new Error('The programming model can only be set during app startup.');
      model = next;
    },
    hooks: (name) => hooks.get(name) ?? [],
    close() {
      open = false;
    },
  };
}
