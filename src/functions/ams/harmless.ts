/** Calls of tools about what Keyward does not have. The answers of Azure Media Services for nothing are harmless. */
import type { RouteHandler } from '../pipeline/call.ts';
import { accountVersions, refuseOptions } from './arm.ts';
import { accepted } from './resources.ts';

/** Private endpoints of an account. */
export const emptyList: RouteHandler = async (call) => {
  await accepted({ versions: accountVersions }, call);
  refuseOptions(call.request);
  return { status: 200, jsonBody: { value: [] } };
};

/** The keys of storage accounts: Keyward has none. */
export const nothingToDo: RouteHandler = async (call) => {
  await accepted({ versions: accountVersions }, call);
  return { status: 200 };
};
