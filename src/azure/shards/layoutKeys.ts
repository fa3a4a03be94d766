/** What a process needs to notice a divided state, where its settings name one storage account. */
import { SettingsError } from '../settings.ts';

/** In table `keywardrings` of each account. No ring has this name. */
export const layoutPartition = '!layout';
export const layoutKey = { partitionKey: layoutPartition, rowKey: 'layout' };

/** All rows have been moved back to the first account. */
export function isUndivided({ data }: { readonly data?: unknown }): boolean {
  try {
    const { accounts, joining, moving } = Object(JSON.parse(String(data))) as Record<string, unknown>;
    return accounts === 1 && joining === undefined && moving === undefined;
  } catch {
    return false;
  }
}

export const misplaced = (why: string): SettingsError =>
  new SettingsError(
    ['KEYWARD_TABLES_ENDPOINT', 'KEYWARD_ADDITIONAL_TABLES_ENDPOINTS'],
    `${why} Name the storage accounts of this state in the order in which they were added.`,
  );
