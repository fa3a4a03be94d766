/**
 * What each registered function is: its trigger with `%SETTING%` resolved, from the bindings that `@azure/functions`
 * writes. Anything this host cannot run is refused at start, by name.
 */
import type { Registered, Registration } from './registration.ts';
import type { Binding } from './rpc.ts';
import { lookUp, resolveSettings, type Settings } from './settings.ts';

export type AuthLevel = 'anonymous' | 'function' | 'admin';

export type FunctionInfo =
  | {
      name: string;
      trigger: 'httpTrigger';
      route: string;
      /** Upper case; undefined takes every method. */
      methods: string[] | undefined;
      authLevel: AuthLevel;
    }
  | { name: string; trigger: 'timerTrigger'; schedule: string; runOnStartup: boolean; useMonitor: boolean }
  | { name: string; trigger: 'queueTrigger'; queueName: string; connection: string }
  | { name: string; trigger: 'eventGridTrigger'; many: boolean };

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

function resolveProperty(name: string, property: string, value: unknown, settings: Settings): unknown {
  if (typeof value !== 'string') return value;
  const resolved = resolveSettings(value, settings);
  switch (resolved.kind) {
    case 'Text':
      return resolved.text;
    case 'Missing':
      throw new Error(`Function '${name}': ${property} names the setting ${resolved.setting}, which is not set`);
    case 'Unclosed':
      throw new Error(`Function '${name}': ${property} has a '%' without its partner`);
  }
}

function resolveBinding(name: string, binding: Binding, settings: Settings): Binding {
  const entries = Object.entries(binding).map(([key, value]) => [key, resolveProperty(name, key, value, settings)]);
  return Object.fromEntries(entries) as Binding;
}

const text = (value: unknown, fallback: string): string => (typeof value === 'string' ? value : fallback);

function authLevelOf(name: string, value: unknown): AuthLevel {
  const level = text(value, 'function').toLowerCase();
  if (level === 'anonymous' || level === 'function' || level === 'admin') return level;
  throw new Error(`Function '${name}': authLevel must be anonymous, function or admin, not '${level}'`);
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
      return { name, trigger: 'httpTrigger', route, methods, authLevel: authLevelOf(name, binding.authLevel) };
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
      // Queue names are lower case; the host lowers what it is given (WebJobs SDK, QueueTriggerAttributeBindingProvider).
      const queueName = text(binding.queueName, '').toLowerCase();
      if (!queueNameRule.test(queueName)) {
        throw new Error(
          `Function '${name}': queueName '${queueName}' is none: 3 to 63 letters, digits and single dashes between them`,
        );
      }
      return { name, trigger: 'queueTrigger', queueName, connection: text(binding.connection, 'AzureWebJobsStorage') };
    }
    case 'eventgridtrigger':
      return { name, trigger: 'eventGridTrigger', many: text(binding.cardinality, 'one').toLowerCase() === 'many' };
    default:
      throw new Error(
        `Function '${name}' has a ${binding.type}; this host runs HTTP, timer, queue and Event Grid triggers`,
      );
  }
}

function load(registered: Registered, settings: Settings): LoadedFunction {
  const { name, bindings } = registered.metadata;
  const entries = Object.entries(bindings).map(
    ([key, binding]) => [key, resolveBinding(name, binding, settings)] as const,
  );
  const trigger = entries.find(([, binding]) => /trigger$/i.test(binding.type));
  if (trigger === undefined) throw new Error(`Function '${name}' has no trigger`);
  const foreign = entries.find((one) => one !== trigger && one[1].type.toLowerCase() !== 'http');
  if (foreign !== undefined) {
    throw new Error(`Function '${name}': this host does not serve the binding '${foreign[0]}' (${foreign[1].type})`);
  }
  const metadata = { ...registered.metadata, bindings: Object.fromEntries(entries) };
  return { info: describe(name, trigger[1]), bindingName: trigger[0], registered: { ...registered, metadata } };
}

/** `AzureWebJobs.NAME.Disabled` = true or 1 takes a function out; it then is as if not there. */
const isDisabled = (name: string, settings: Settings): boolean =>
  ['true', '1'].includes((lookUp(settings, `AzureWebJobs.${name}.Disabled`) ?? '').toLowerCase());

export function describeFunctions(registration: Registration, settings: Settings): LoadedFunction[] {
  const enabled = [...registration.functions.values()].filter((one) => !isDisabled(one.metadata.name, settings));
  const problems: string[] = [];
  const loaded = enabled.flatMap((one) => {
    try {
      return [load(one, settings)];
    } catch (error) {
      problems.push((error as Error).message);
      return [];
    }
  });
  if (problems.length > 0) throw new Error(problems.join('; '));
  return loaded;
}
