/** A state machine as a drawing, with the present state marked. Its text says the same to a screen reader. */
import { useId } from 'react';
import type { Change, Machine, State } from '../machines.ts';

/** Half of the width and of the height of a box. */
const half = { x: 62, y: 16 };
const wide = { x: 108, y: 16 };
const sizeOf = ({ name }: State) => (name.length > 14 ? wide : half);

export function MachineDrawing({ of: { title, states, changes }, now }: { of: Machine; now: string }) {
  const arrow = useId();
  const stateNamed = new Map(states.map((state) => [state.name, state]));
  const height = Math.max(...states.map(({ y }) => y)) + 60;
  const text = changes.map(({ from, to, on }) => `From ${from} to ${to}: ${on}.`).join(' ');
  const meaning = stateNamed.get(now)?.meaning ?? 'Keyward has not checked the key for too long.';
  return (
    <figure className="machine">
      <figcaption>
        {title}: <strong>{now}</strong>. {meaning}
      </figcaption>
      <svg viewBox={`0 0 600 ${height}`} role="img" aria-label={`${title}: now ${now}. ${text}`}>
        <title>{`${title}: now ${now}`}</title>
        <defs>
          <marker id={arrow} viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">
            <path d="M0 0 8 4 0 8z" />
          </marker>
        </defs>
        {changes.map((change) => {
          const [from, to] = [stateNamed.get(change.from), stateNamed.get(change.to)];
          return from && to ? (
            <Arrow key={`${change.from} ${change.to}`} of={change} from={from} to={to} head={arrow} />
          ) : null;
        })}
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

/** A change to the right or down is straight; one back to the left leaves below its box, in a bow. */
function Arrow({ of: { on }, from, to, head }: { of: Change; from: State; to: State; head: string }) {
  const { path, x, y } = from.y === to.y ? along(from, to) : across(from, to);
  return (
    <>
      <path className="change" d={path} markerEnd={`url(#${head})`} />
      <text className="on" x={x} y={y}>
        {on}
      </text>
    </>
  );
}

function along(from: State, to: State) {
  const [start, end] = [sizeOf(from), sizeOf(to)];
  const x = (from.x + to.x) / 2;
  if (to.x > from.x) return { path: `M${from.x + start.x} ${from.y}H${to.x - end.x}`, x, y: from.y - 8 };
  const depth = from.y + half.y + (from.x - to.x) / 6;
  const [right, left] = [from.x - start.x / 2, to.x + end.x / 2];
  const path = `M${right} ${from.y + half.y}C${right} ${depth} ${left} ${depth} ${left} ${to.y + half.y}`;
  return { path, x: from.x - 70, y: depth - 14 };
}

function across(from: State, to: State) {
  const isDown = to.y > from.y;
  if (to.x === from.x) {
    const x = isDown ? from.x - 30 : from.x + 30;
    const [start, end] = isDown ? [from.y + half.y, to.y - half.y] : [from.y - half.y, to.y + half.y];
    return { path: `M${x} ${start}V${end}`, x: isDown ? x - 28 : x + 40, y: isDown ? 90 : 116 };
  }
  return {
    path: `M${from.x + half.x} ${from.y}L${to.x - half.x / 2} ${to.y + half.y}`,
    x: (from.x + to.x) / 2 + 60,
    y: (from.y + to.y) / 2 + 44,
  };
}
