/**
 * What the host logs about an invocation, in the words of the WebJobs SDK (FunctionInstanceLogger, FunctionExecutor). On
 * Azure the text is the only place where a record has its invocation id for certain, and the start and the end of an
 * invocation have it as a field too.
 */
import type { FunctionInfo } from './functionInfo.ts';
import type { InvocationName, Log } from './logs.ts';

/** `GetTriggerReason` of each trigger; an Event Hub trigger has none. */
function reasonOf(info: FunctionInfo): string {
  switch (info.trigger) {
    case 'httpTrigger':
      return 'This function was programmatically called via the host APIs.';
    case 'queueTrigger':
      return `New queue message detected on '${info.queueName}'.`;
    case 'timerTrigger':
      return `Timer fired at ${new Date().toISOString()}`;
    case 'eventGridTrigger':
      return `EventGrid trigger fired at ${new Date().toISOString()}`;
    case 'eventHubTrigger':
      return '(null)';
  }
}

/** `[d.]hh:mm:ss[.fffffff]`, as .NET prints a TimeSpan. */
function formatTimeSpan(ms: number): string {
  const dayMs = 24 * 60 * 60 * 1000;
  const days = Math.floor(ms / dayMs);
  const time = new Date(ms % dayMs).toISOString();
  const fraction = ms % 1000 === 0 ? '' : `${time.slice(19, 23)}0000`;
  return `${days === 0 ? '' : `${days}.`}${time.slice(11, 19)}${fraction}`;
}

export interface InvocationRecords {
  started(): void;
  succeeded(): void;
  /** Error and stack follow the text, as the exception of the record does on Azure. */
  failed(error: unknown): void;
  /** Returns the logged text. */
  timedOut(timeoutMs: number): string;
}

export function recordsOf(info: FunctionInfo, invocation: InvocationName, log: Log): InvocationRecords {
  const { functionName, invocationId } = invocation;
  const category = `Function.${functionName}`;
  const began = Date.now();
  const end = (status: string) =>
    `Executed 'Functions.${functionName}' (${status}, Id=${invocationId}, Duration=${Date.now() - began}ms)`;
  return {
    started() {
      const text = `Executing 'Functions.${functionName}' (Reason='${reasonOf(info)}', Id=${invocationId})`;
      log('information', category, text, invocation);
    },
    succeeded: () => log('information', category, end('Succeeded'), invocation),
    failed(error) {
      const details = error instanceof Error ? (error.stack ?? error.message) : String(error);
      log('error', category, `${end('Failed')}\n${details}`, invocation);
    },
    timedOut(timeoutMs) {
      const value = formatTimeSpan(timeoutMs);
      const text = `Timeout value of ${value} exceeded by function 'Functions.${functionName}' (Id: '${invocationId}').`;
      log('error', category, `${text} Initiating cancellation.`, { functionName });
      return text;
    },
  };
}
