/** The status of a key over the last 24 hours, as a strip: from the changes that its audit has. */
import type { Schemas } from '../api.ts';

type Entry = Schemas['TimelineEntry'];
const dayMs = 86_400_000;
const format = new Intl.DateTimeFormat(undefined, { timeStyle: 'short' });

interface Span {
  readonly status: string;
  readonly from: number;
  readonly to: number;
}

/** The spans of a status, oldest first. `changes`: newest or oldest first; `now`: the right end. */
export function spansOf(changes: readonly Entry[], current: string, now: number): Span[] {
  const times = changes
    .flatMap(({ at, entry }) =>
      'after' in entry ? [{ at: Date.parse(at), before: entry.before, after: entry.after }] : [],
    )
    .filter(({ at }) => at > now - dayMs)
    .toSorted((a, b) => a.at - b.at);
  const spans: Span[] = [];
  let from = now - dayMs;
  let status = times[0]?.before ?? current;
  for (const { at, after = current } of times) {
    if (at > from) spans.push({ status, from, to: at });
    from = at;
    status = after;
  }
  return [...spans, { status, from, to: now }];
}

export function StatusStrip({ spans }: { spans: readonly Span[] }) {
  const text = spans
    .map(({ status, from, to }) => `${status} ${format.format(from)} to ${format.format(to)}`)
    .join(', ');
  return (
    <svg
      className="strip"
      viewBox="0 0 240 12"
      preserveAspectRatio="none"
      role="img"
      aria-label={`Last 24 hours: ${text}`}
    >
      <title>{text}</title>
      {spans.map(({ status, from, to }) => (
        <rect
          key={from}
          className={`span ${status}`}
          // The last span is short, and must not be cut off.
          x={Math.min(238, 240 - ((spans.at(-1)?.to ?? to) - from) * (240 / dayMs))}
          width={Math.max(2, (to - from) * (240 / dayMs))}
          height={12}
        />
      ))}
    </svg>
  );
}
