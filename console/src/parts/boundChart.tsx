/** Measured times against their bound: a bar for each, the oldest on the left, and the bound as a line across. */
export interface Measured {
  readonly at: string;
  /** Absent: it was not measured. */
  readonly seconds: number | undefined;
}

interface Props {
  readonly title: string;
  readonly boundSeconds: number;
  /** Oldest first. */
  readonly values: readonly Measured[];
}

const width = 600;
const height = 140;

export function BoundChart({ title, boundSeconds, values }: Props) {
  const measured = values.flatMap(({ seconds }) => (seconds === undefined ? [] : [seconds]));
  const slowest = Math.max(0, ...measured);
  const late = measured.filter((seconds) => seconds > boundSeconds).length;
  const top = Math.max(slowest, boundSeconds) * 1.15;
  const y = (seconds: number) => height - (seconds / top) * height;
  const step = width / Math.max(values.length, 12);
  const summary = `${title}: ${measured.length} measured, the slowest ${slowest.toFixed(1)} s, the bound ${boundSeconds} s, ${late} above it.`;
  return (
    <figure className="boundChart">
      <figcaption>{summary}</figcaption>
      <svg viewBox={`0 0 ${width} ${height + 4}`} role="img" aria-label={summary}>
        <title>{title}</title>
        {values.map(({ at, seconds }, index) =>
          seconds === undefined ? null : (
            <rect
              key={at}
              className={seconds > boundSeconds ? 'bar late' : 'bar'}
              x={index * step + 1}
              y={y(seconds)}
              width={step - 2}
              height={height - y(seconds)}
            >
              <title>{`${at}: ${seconds} s`}</title>
            </rect>
          ),
        )}
        <line className="bound" x1={0} x2={width} y1={y(boundSeconds)} y2={y(boundSeconds)} />
        <text x={width - 4} y={y(boundSeconds) - 5}>
          {`bound ${boundSeconds} s`}
        </text>
      </svg>
    </figure>
  );
}
