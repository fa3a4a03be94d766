/**
 * The status of a key and the state of an account, as a badge: always with its word, never by color alone. A list draws
 * a hundred of them, so a badge is one element with the tokens of Fluent UI.
 */
const colors: Readonly<Record<string, 'success' | 'warning' | 'danger'>> = {
  Accessible: 'success',
  Enabled: 'success',
  yes: 'success',
  pass: 'success',
  ok: 'success',
  ready: 'success',
  whole: 'success',
  met: 'success',
  Suspect: 'warning',
  PendingDeletion: 'warning',
  Unreachable: 'warning',
  Unknown: 'warning',
  untilLeaseEnd: 'warning',
  warn: 'warning',
  unfinished: 'warning',
  Inaccessible: 'danger',
  CustomerKeyInaccessible: 'danger',
  no: 'danger',
  fail: 'danger',
  failed: 'danger',
  notReady: 'danger',
  broken: 'danger',
  missed: 'danger',
};
const words: Readonly<Record<string, string>> = {
  yes: 'served',
  untilLeaseEnd: 'served until its lease ends',
  no: 'not served',
};

export function Status({ of }: { of: string }) {
  return <span className={`badge ${colors[of] ?? 'neutral'}`}>{words[of] ?? of}</span>;
}
