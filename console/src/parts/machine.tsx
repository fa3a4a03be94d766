/** A state machine as a drawing, with the present state marked. Its text says the same to a screen reader. */
import { Fragment, useId } from 'react';
import type { Machine, State } from '../machines.ts';

/** Half of the width and of the height of a box. */
const narrow = { x: 62, y: 16 };
const wide = { x: 108, y: 16 };
const sizeOf = ({ name }: State) => (name.length > 15 ? wide : narrow);

export function MachineDrawing({ of: { title, states, changes }, now }: { of: Machine; now: string }) {
  const arrow = useId();
  const stateNamed = new Map(states.map((state) => [state.name, state]));
  const height = Math.max(...states.map(({ y }) => y)) + 40;
  const text = changes.map(({ from, to, on }) => `From ${from} to ${to}: ${on}.`).join(' ');
  const meaning = stateNamed.get(now)?.meaning ?? 'Keyward has not checked the key for too long.';
  return (
    <figure className="machine">
      <figcaption>
        {title}: <strong>{now}</strong>. {meaning}
      </figcaption>
      <svg viewBox={`0 0 760 ${height}`} role="img" aria-label={`${title}: now ${now}. ${text}`}>
        <title>{`${title}: now ${now}`}</title>
        <defs>
          <marker id={arrow} viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">
            <path d="M0 0 8 4 0 8z" />
          </marker>
        </defs>
        {changes.map(({ from, to, on, line, words: { x, y, anchor } }) => (
          <Fragment key={`${from} ${to}`}>
            <path className="change" d={line} markerEnd={`url(#${arrow})`} />
            <text className="on" x={x} y={y} textAnchor={anchor ?? 'middle'}>
              {on}
            </text>
          </Fragment>
        ))}
        {states.map((state) => (
          <Box key={state.name} of={state} isNow={state.name === now} />
        ))}
      </svg>
    </figure>
  );
}

function Box({ of, isNow }: { of: State; isNow: boolean }) {
  const { x, y } = sizeOf(of);
  return (
    <g className={isNow ? 'state now' : 'state'}>
      <rect x={of.x - x} y={of.y - y} width={2 * x} height={2 * y} rx={6} />
      <text x={of.x} y={of.y + 5}>
        {of.name}
      </text>
    </g>
  );
}
