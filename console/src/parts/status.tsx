/** The status of a key and the state of an account, as a badge: always with its word, never by color alone. */
import { Badge, type BadgeProps } from '@fluentui/react-components';

const colors: Readonly<Record<string, BadgeProps['color']>> = {
  Accessible: 'success',
  Enabled: 'success',
  yes: 'success',
  pass: 'success',
  ok: 'success',
  ready: 'success',
  whole: 'success',
  Suspect: 'warning',
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
};
const words: Readonly<Record<string, string>> = {
  yes: 'served',
  untilLeaseEnd: 'served until its lease ends',
  no: 'not served',
};

export function Status({ of }: { of: string }) {
  return (
    <Badge appearance="tint" color={colors[of] ?? 'informative'}>
      {words[of] ?? of}
    </Badge>
  );
}
