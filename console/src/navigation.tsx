/**
 * The address of the page: views are paths below /console, and filters are its query, so that a link shows what its
 * sender saw.
 */
import { type MouseEvent, type ReactNode, useSyncExternalStore } from 'react';

const base = '/console';
const listeners = new Set<() => void>();
const notify = () => {
  for (const listener of listeners) listener();
};
window.addEventListener('popstate', notify);

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export interface Address {
  readonly path: string;
  readonly query: URLSearchParams;
}

/** The path below /console and the query, of the address that is shown. */
export function useAddress(): Address {
  return addressOf(useSyncExternalStore(subscribe, () => window.location.pathname + window.location.search));
}

function addressOf(href: string): Address {
  const { pathname, searchParams } = new URL(href, window.location.origin);
  return { path: pathname.slice(base.length).replace(/\/$/, '') || '/', query: searchParams };
}

/** The last part of a path, decoded. Undefined: the address does not encode a text. */
export function nameIn(path: string): string | undefined {
  try {
    return decodeURIComponent(path.split('/').at(-1) ?? '');
  } catch {
    return undefined;
  }
}

const starters = new Set<(next: Address) => void>();

/** Calls a function with each next address, before its view is drawn. @returns what ends that. */
export function beforeNavigation(start: (next: Address) => void): () => void {
  starters.add(start);
  return () => starters.delete(start);
}

export function navigate(to: string): void {
  window.history.pushState(null, '', base + to);
  for (const start of starters) start(addressOf(base + to));
  // Drawing keeps the page busy. A request that was started leaves first, because its promises settle before the next
  // task.
  setTimeout(notify);
}

/** Changes filters of the view that is shown; an empty value removes its filter. */
export function setQuery(changes: Readonly<Record<string, string>>): void {
  const url = new URL(window.location.href);
  for (const [name, value] of Object.entries(changes)) {
    if (value === '') url.searchParams.delete(name);
    else url.searchParams.set(name, value);
  }
  window.history.replaceState(null, '', url.pathname + url.search);
  notify();
}

/** A list draws a hundred of them, so a link is one element with the tokens of Fluent UI. */
export function Link({ to, children }: { to: string; children: ReactNode }) {
  const onClick = (event: MouseEvent) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    navigate(to);
  };
  return (
    <a href={base + to} onClick={onClick} className="link">
      {children}
    </a>
  );
}
