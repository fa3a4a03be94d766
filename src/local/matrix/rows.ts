/** The fault matrix: one row for each cause and each shape of answer. */
import { acrossTenants } from './acrossTenants.ts';
import { answers } from './answers.ts';
import { denials } from './denials.ts';
import { everybody, ownIdentity } from './ownTrouble.ts';
import { refusals } from './refusals.ts';
import type { Row } from './row.ts';
import { dates, silence } from './silence.ts';

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
