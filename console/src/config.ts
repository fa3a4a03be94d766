/**
 * The public configuration of the app before a user signs in: `GET /console/config.json`
 * (src/functions/console/consoleConfig.ts).
 */
import type { ConsoleConfig } from '../../src/functions/console/consoleConfig.ts';

export type { ConsoleConfig };

export async function readConfig(): Promise<ConsoleConfig> {
  const response = await fetch('/console/config.json');
  if (!response.ok) throw new Error(`The app answered ${response.status} to the console. Load the page again.`);
  return (await response.json()) as ConsoleConfig;
}
