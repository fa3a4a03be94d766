/** The fault matrix: one row for each cause and each form of response. */
import { acrossTenants } from './acrossTenants.ts';
import { denials } from './denials.ts';
import { refusals } from './refusals.ts';
import type { Row } from './row.ts';
import { everybody, ownIdentity } from './serviceFaults.ts';
import { dates, silence } from './unreachable.ts';
import { answers } from './vaultResponses.ts';

export const rows: readonly Row[] = [
  ...denials,
  ...refusals,
  ...answers,
  ...silence,
  ...dates,
  ...ownIdentity,
  ...acrossTenants,
  ...everybody,
];
