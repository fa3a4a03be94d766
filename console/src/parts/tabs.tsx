/**
 * Tabs by the pattern of the WAI-ARIA Authoring Practices: Tab reaches the chosen one, and the arrow keys choose
 * another.
 */
import { type KeyboardEvent, type ReactNode, useId, useRef } from 'react';

interface Props<T extends string> {
  readonly label: string;
  /** Values with their texts, in order. */
  readonly of: Readonly<Record<T, string>>;
  readonly chosen: T;
  readonly choose: (value: T) => void;
  readonly children: ReactNode;
}

const steps: Readonly<Record<string, number>> = { ArrowRight: 1, ArrowLeft: -1 };

export function Tabs<T extends string>({ label, of, chosen, choose, children }: Props<T>) {
  const list = useRef<HTMLDivElement>(null);
  const panel = useId();
  const values = Object.keys(of) as T[];
  const move = ({ key }: KeyboardEvent) => {
    const step = steps[key];
    if (step === undefined) return;
    const at = (values.indexOf(chosen) + step + values.length) % values.length;
    choose(values[at] ?? chosen);
    (list.current?.children[at] as HTMLElement | undefined)?.focus();
  };
  return (
    <>
      <div role="tablist" aria-label={label} ref={list} onKeyDown={move} className="tabs">
        {values.map((value) => (
          <button
            key={value}
            type="button"
            role="tab"
            aria-selected={value === chosen}
            aria-controls={panel}
            tabIndex={value === chosen ? 0 : -1}
            onClick={() => choose(value)}
          >
            {of[value]}
          </button>
        ))}
      </div>
      <div role="tabpanel" id={panel} aria-label={of[chosen]}>
        {children}
      </div>
    </>
  );
}
