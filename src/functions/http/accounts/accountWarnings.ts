/** The warnings of an account: what will need an action, while the account works. */

import type { AccountView, CustomerKeyEncryption } from '../../../core/accounts/account.ts';
import { remedyTargetOf } from '../../../core/accounts/gate.ts';
import { remedyOf } from '../../../core/base/causes.ts';
import { iso } from '../../../core/base/time.ts';
import { unreadableNewest } from '../../../core/watch/newestVersion.ts';
import type { Watch } from '../../../core/watch/watch.ts';

export function warningsOf(view: AccountView) {
  const { record, watch } = view;
  if (record.encryption.type !== 'CustomerKey' || watch === undefined) return [];
  const unread = record.encryption.follows ? unreadableNewest(watch) : undefined;
  if (unread === undefined) return versionWarningsOf(view, watch, record.encryption);
  const { since, cause } = unread;
  const remedy = remedyOf(cause, remedyTargetOf(view));
  const notReadable = { code: 'KeyNotReadable', cause, since: iso(since), remedy };
  return [notReadable, ...versionWarningsOf(view, watch, record.encryption)];
}

function versionWarningsOf(view: AccountView, watch: Watch, { follows, version }: CustomerKeyEncryption) {
  const { unusableVersion, targetVersion, rotation } = watch;
  const { expiresOn, warning } = watch.expiries?.[version] ?? {};
  const expiry = warning === undefined || expiresOn === undefined ? [] : [{ code: warning, expiresOn: iso(expiresOn) }];
  if (unusableVersion !== undefined && unusableVersion.version !== version) {
    if (!follows) return expiry;
    const { cause } = unusableVersion;
    const newest = { keyVersion: unusableVersion.version, cause, since: iso(unusableVersion.since) };
    return [
      {
        code: 'NewVersionUnusable',
        ...newest,
        remedy: remedyOf(cause, remedyTargetOf(view, unusableVersion.version)),
      },
      ...expiry,
    ];
  }
  if (targetVersion === undefined || targetVersion === version) return expiry;
  // Keyward re-wraps an account that uses the latest version. The owner of a pinned account has to change its version.
  const { since, done, failed } = rotation ?? {};
  const progress = !follows || since === undefined ? {} : { rotation: { since: iso(since), done, failed } };
  return [{ code: 'NewerVersionAvailable', keyVersion: targetVersion, ...progress }, ...expiry];
}
