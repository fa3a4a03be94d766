/**
 * A table of any length: only the rows in view are in the document. The window scrolls, so that the keyboard scrolls it
 * as every page. On a narrow screen a row is a card, and each value has its column's name.
 */
import { useWindowVirtualizer } from '@tanstack/react-virtual';
import { type CSSProperties, type ReactNode, useEffect, useLayoutEffect, useRef, useState } from 'react';

export interface Column<T> {
  readonly name: string;
  /** A width of a CSS grid. */
  readonly width: string;
  readonly cell: (row: T) => ReactNode;
}

/** For `npm run bench -- console`: when the first rows are drawn. */
function markFirstView(): void {
  if (performance.getEntriesByName('firstView').length === 0) performance.mark('firstView');
}

interface Props<T> {
  readonly label: string;
  readonly columns: readonly Column<T>[];
  readonly rows: readonly T[];
  readonly keyOf: (row: T) => string;
  /** Called when the last rows come into view. */
  readonly onEnd?: () => unknown;
}

export function DataTable<T>({ label, columns, rows, keyOf, onEnd }: Props<T>) {
  const body = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  useLayoutEffect(() => setTop(body.current?.offsetTop ?? 0), []);
  const virtualizer = useWindowVirtualizer({
    count: rows.length,
    estimateSize: () => 45,
    overscan: 8,
    scrollMargin: top,
    getItemKey: (index) => {
      const row = rows[index];
      return row === undefined ? index : keyOf(row);
    },
  });
  useEffect(markFirstView, []);
  const items = virtualizer.getVirtualItems();
  const last = items.at(-1)?.index ?? -1;
  useLayoutEffect(() => {
    if (last >= rows.length - 1) onEnd?.();
  }, [last, rows.length, onEnd]);
  // A custom property, so that the style sheet decides at which width a row has columns.
  const template = { '--columns': columns.map(({ width }) => width).join(' ') } as CSSProperties;
  return (
    <div role="table" aria-label={label} aria-rowcount={rows.length + 1} className="table">
      <div role="rowgroup">
        <div role="row" aria-rowindex={1} className="row head" style={template}>
          {columns.map(({ name }) => (
            <div role="columnheader" key={name}>
              {name}
            </div>
          ))}
        </div>
      </div>
      <div role="rowgroup" ref={body} style={{ height: virtualizer.getTotalSize(), position: 'relative' }}>
        {items.map((item) => {
          const row = rows[item.index];
          if (row === undefined) return null;
          return (
            <div
              role="row"
              key={item.key}
              aria-rowindex={item.index + 2}
              data-index={item.index}
              ref={virtualizer.measureElement}
              className="row"
              style={{ ...template, position: 'absolute', width: '100%', top: item.start - top }}
            >
              {columns.map(({ name, cell }) => (
                <div role="cell" key={name}>
                  <span className="label" aria-hidden="true">
                    {name}
                  </span>
                  {cell(row)}
                </div>
              ))}
            </div>
          );
        })}
      </div>
    </div>
  );
}
