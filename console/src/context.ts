/** What every view needs: the API, the signed-in user and the configuration. */
import { createContext, useContext } from 'react';
import type { Api } from './api.ts';
import type { ConsoleConfig } from './config.ts';
import type { Session } from './session.ts';

export interface Console {
  readonly api: Api;
  readonly session: Session;
  readonly config: ConsoleConfig;
}

export const ConsoleContext = createContext<Console | undefined>(undefined);

export function useConsole(): Console {
  const found = useContext(ConsoleContext);
  if (found === undefined) throw new Error('The view is outside of the console.');
  return found;
}
