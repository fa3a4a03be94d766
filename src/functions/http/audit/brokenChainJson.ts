/**
 * A broken link of a chain as JSON: what the flaw means, who acts, and the command that copies the rows of the chain.
 */
import { flaws } from '../../../core/audit/chainCheck.ts';
import { serviceChain } from '../../../core/audit/serviceAudit.ts';
import { defined } from '../../../core/base/defined.ts';
import type { Flaw } from '../../../core/base/vocabulary.ts';
import { rowsCommand } from '../../pipeline/rowsCommand.ts';

interface BrokenLink {
  readonly chain: string;
  readonly account?: string | undefined;
  readonly sequence: number;
  readonly flaw: Flaw;
}

export const renderBrokenLink = ({ chain, account, sequence, flaw }: BrokenLink) => ({
  ...defined({ account }),
  sequence,
  flaw,
  meaning: flaws[flaw],
  whoActs: 'operator' as const,
  remedy: remedyFor(chain, account),
});

function remedyFor(chain: string, account: string | undefined): string {
  const [table, partition] =
    account !== undefined
      ? (['accounts', account] as const)
      : ([chain === serviceChain ? 'service' : 'bindings', chain] as const);
  return `Find the writer of the tables, and restore the rows from a back-up. Copy them first: ${rowsCommand(table, partition)}`;
}
