/**
 * What each registered function is: its trigger with `%SETTING%` resolved, from the bindings that `@azure/functions`
 * writes. As the Functions host does with AllowPartialHostStartup, a function with an invalid binding is in error: the
 * host logs it and runs the other functions.
 */
import type { Log } from './logs.ts';
import type { Registered, Registration } from './registration.ts';
import type { Binding } from './rpc.ts';
import { lookUp, resolveSettings, type Settings } from './settings.ts';

export type AuthLevel = 'anonymous' | 'function' | 'admin';

export type FunctionInfo =
  | {
      name: string;
      trigger: 'httpTrigger';
      route: string;
      /** Upper case; undefined accepts every method. */
      methods: string[] | undefined;
      authLevel: AuthLevel;
    }
  | { name: string; trigger: 'timerTrigger'; schedule: string; runOnStartup: boolean; useMonitor: boolean }
  | { name: string; trigger: 'queueTrigger'; queueName: string; connection: string }
  | { name: string; trigger: 'eventGridTrigger'; many: boolean }
  | { name: string; trigger: 'eventHubTrigger'; eventHubName: string; connection: string; many: boolean };

export type InfoOf<Trigger extends FunctionInfo['trigger']> = Extract<FunctionInfo, { trigger: Trigger }>;

export interface LoadedFunction<Info extends FunctionInfo = FunctionInfo> {
  info: Info;
  /** The input binding that carries the trigger's data. */
  bindingName: string;
  registered: Registered;
}

export const isA = <Trigger extends FunctionInfo['trigger']>(
  loaded: LoadedFunction,
  trigger: Trigger,
): loaded is LoadedFunction<InfoOf<Trigger>> => loaded.info.trigger === trigger;

/**
 * The process that runs a function on Flex Consumption (azure-functions-host, Utility.GetFunctionGroup): HTTP and Event
 * Grid triggers together, every other function alone.
 */
export const groupOf = ({ name, trigger }: FunctionInfo): string =>
  trigger === 'httpTrigger' || trigger === 'eventGridTrigger' ? 'http' : `function:${name}`;

/** Collects the functions in error, and logs each with the reason. */
export interface Indexing {
  /** What `make` returns for each function; a function for which it throws is in error. */
  each<T extends { info: { name: string } }, R>(functions: readonly T[], make: (one: T) => R): R[];
  fail(name: string, error: unknown): void;
  isInError(name: string): boolean;
}

export function createIndexing(log: Log): Indexing {
  const inError = new Set<string>();
  const fail = (name: string, error: unknown) => {
    inError.add(name);
    const reason = error instanceof Error ? error.message : String(error);
    log('error', 'Host.Startup', `The '${name}' function is in error: ${reason}`);
  };
  return {
    each: (functions, make) =>
      functions.flatMap((one) => {
        try {
          return [make(one)];
        } catch (error) {
          fail(one.info.name, error);
          return [];
        }
      }),
    fail,
    isInError: (name) => inError.has(name),
  };
}

function resolveProperty(property: string, value: unknown, settings: Settings): unknown {
  if (typeof value !== 'string') return value;
  const resolved = resolveSettings(value, settings);
  switch (resolved.kind) {
    case 'Text':
      return resolved.text;
    case 'Missing':
      throw new Error(`${property} names the setting ${resolved.setting}, which is not set`);
    case 'Unclosed':
      throw new Error(`${property} has a '%' without its partner`);
  }
}

function resolveBinding(binding: Binding, settings: Settings): Binding {
  const entries = Object.entries(binding).map(([key, value]) => [key, resolveProperty(key, value, settings)]);
  return Object.fromEntries(entries) as Binding;
}

const text = (value: unknown, fallback: string): string => (typeof value === 'string' ? value : fallback);
const isMany = (binding: Binding): boolean => text(binding.cardinality, 'one').toLowerCase() === 'many';

function authLevelOf(value: unknown): AuthLevel {
  const level = text(value, 'function').toLowerCase();
  if (level === 'anonymous' || level === 'function' || level === 'admin') return level;
  throw new Error(`authLevel must be anonymous, function or admin, not '${level}'`);
}

// learn.microsoft.com/rest/api/storageservices/naming-queues-and-metadata
const queueNameRule = /^(?=.{3,63}$)[a-z0-9]+(-[a-z0-9]+)*$/;

function describe(name: string, binding: Binding): FunctionInfo {
  switch (binding.type.toLowerCase()) {
    case 'httptrigger': {
      const methods = Array.isArray(binding.methods)
        ? binding.methods.map((one) => String(one).toUpperCase())
        : undefined;
      const route = text(binding.route, name);
      return { name, trigger: 'httpTrigger', route, methods, authLevel: authLevelOf(binding.authLevel) };
    }
    case 'timertrigger':
      return {
        name,
        trigger: 'timerTrigger',
        schedule: text(binding.schedule, ''),
        runOnStartup: binding.runOnStartup === true,
        useMonitor: binding.useMonitor !== false,
      };
    case 'queuetrigger': {
      // Queue names are lower case; the host lowers the given name (WebJobs SDK, QueueTriggerAttributeBindingProvider).
      const queueName = text(binding.queueName, '').toLowerCase();
      if (!queueNameRule.test(queueName)) {
        throw new Error(`queueName '${queueName}' must be 3 to 63 letters, digits and single dashes between them`);
      }
      return { name, trigger: 'queueTrigger', queueName, connection: text(binding.connection, 'AzureWebJobsStorage') };
    }
    case 'eventgridtrigger':
      return { name, trigger: 'eventGridTrigger', many: isMany(binding) };
    case 'eventhubtrigger': {
      const eventHubName = text(binding.eventHubName, '');
      if (eventHubName === '') throw new Error('eventHubName is missing');
      const connection = text(binding.connection, '');
      return { name, trigger: 'eventHubTrigger', eventHubName, connection, many: isMany(binding) };
    }
    default:
      throw new Error(`this host runs HTTP, timer, queue, Event Grid and Event Hub triggers, and no ${binding.type}`);
  }
}

function load(registered: Registered, settings: Settings): LoadedFunction {
  const { name, bindings, retryOptions } = registered.metadata;
  const entries = Object.entries(bindings).map(([key, binding]) => [key, resolveBinding(binding, settings)] as const);
  const trigger = entries.find(([, binding]) => /trigger$/i.test(binding.type));
  if (trigger === undefined) throw new Error('it has no trigger');
  const foreign = entries.find((one) => one !== trigger && one[1].type.toLowerCase() !== 'http');
  if (foreign !== undefined)
    throw new Error(`this host does not serve the binding '${foreign[0]}' (${foreign[1].type})`);
  if (retryOptions !== undefined && retryOptions !== null) throw new Error('this host does not run retry policies');
  const metadata = { ...registered.metadata, bindings: Object.fromEntries(entries) };
  return { info: describe(name, trigger[1]), bindingName: trigger[0], registered: { ...registered, metadata } };
}

/** `AzureWebJobs.NAME.Disabled` = true or 1 disables a function; it then does not exist. */
const isDisabled = (name: string, settings: Settings): boolean =>
  ['true', '1'].includes((lookUp(settings, `AzureWebJobs.${name}.Disabled`) ?? '').toLowerCase());

/** Every function that is neither disabled nor in error. */
export function describeFunctions(
  registration: Registration,
  settings: Settings,
  indexing: Indexing,
): LoadedFunction[] {
  const enabled = [...registration.functions.values()].filter((one) => !isDisabled(one.metadata.name, settings));
  return indexing.each(
    enabled.map((registered) => ({ info: { name: registered.metadata.name }, registered })),
    ({ registered }) => load(registered, settings),
  );
}
