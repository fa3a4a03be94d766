/** Times in the reader's zone; UTC, which the log and the audit use, is in the title and in the element's datetime. */
const format = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });

/** A stored row can hold a text that is no time. */
const isTime = (at: string): boolean => !Number.isNaN(Date.parse(at));

export function Time({ at }: { at: string | undefined }) {
  if (at === undefined || !isTime(at)) return <>{at ?? '–'}</>;
  return (
    <time dateTime={at} title={`${at} (UTC)`}>
      {format.format(new Date(at))}
    </time>
  );
}

const units = [
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
  ['second', 1],
] as const;
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: 'always' });

/** "5 minutes ago", with the time itself in the title. */
export function Ago({ at, now = Date.now() }: { at: string | undefined; now?: number }) {
  if (at === undefined || !isTime(at)) return <>{at ?? '–'}</>;
  const seconds = Math.round((new Date(at).getTime() - now) / 1000);
  const [unit, size] = units.find(([, length]) => Math.abs(seconds) >= length) ?? units[3];
  return (
    <time dateTime={at} title={`${format.format(new Date(at))} · ${at} (UTC)`}>
      {relative.format(Math.round(seconds / size), unit)}
    </time>
  );
}
