/**
 * What the functions do. The first call of a process loads this file, one file in the built app, and each function
 * evaluates the part that it needs.
 */
import type { HttpHandler } from '@azure/functions';
import type { RegisteredRoutes } from './routes.ts';

export const httpHandler = async (name: string, family: string): Promise<HttpHandler> =>
  (await import('./pipeline/handlers.ts')).handlerNamed(name, family);

export const consoleRoute = async () => (await import('./console/console.ts')).consoleRoute;
export const unknownRoute = async (routes: RegisteredRoutes) =>
  (await import('./pipeline/unknownRoute.ts')).unknownRoute(routes);
export const keyEvents = async () => (await import('./triggers/keyEvents.ts')).keyEvents;
export const resourceEvents = async () => (await import('./triggers/resourceEvents.ts')).resourceEvents;
export const keyVaultLogs = async () => (await import('./triggers/keyVaultLogs.ts')).keyVaultLogs;
export const sweep = async () => (await import('./triggers/sweep.ts')).sweep;
export const drill = async () => (await import('./triggers/drill.ts')).drill;
export const startDailyPass = async () => (await import('./triggers/dailyPass.ts')).startDailyPass;
export const dailyPass = async () => (await import('./triggers/dailyPass.ts')).dailyPass;
export const dailyPassPoison = async () => (await import('./triggers/poison.ts')).dailyPassPoison;
export const vaultWork = async () => (await import('./triggers/vaultWork.ts')).vaultWork;
export const vaultWorkPoison = async () => (await import('./triggers/poison.ts')).vaultWorkPoison;
export const endOfProcess = async () => (await import('./triggers/endOfProcess.ts')).endOfProcess();
