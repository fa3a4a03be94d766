/** Accounts of a rotation that could not be re-wrapped, each with the reason, who acts and the command. */
import { isCause } from '../../../core/base/causes.ts';
import { actorOfError, meaningOfError, remedyOfError } from '../../../core/base/errorCatalogue.ts';
import type { RemedyTarget } from '../../../core/base/remedies.ts';
import type { RewrapFailure, Rotation } from '../../../core/watch/watch.ts';
import { rowsCommand } from '../../pipeline/rowsCommand.ts';
import { renderCause } from '../accounts/causeJson.ts';

export const renderFailures = ({ failures }: Pick<Rotation, 'failures'>, target: RemedyTarget) =>
  failures === undefined ? {} : { failures: failures.map((failure) => renderFailure(failure, target)) };

function renderFailure({ account, code }: RewrapFailure, target: RemedyTarget) {
  if (isCause(code)) {
    const { cause, ...about } = renderCause(code, target);
    return { account, code: cause, ...about };
  }
  const remedy = `${remedyOfError(code)} The rows of the account: ${rowsCommand('accounts', account)}`;
  return { account, code, meaning: meaningOfError(code), whoActs: actorOfError(code), remedy };
}
