/** The frame of the console: the views, and who is signed in. */
import { Button } from '@fluentui/react-components';
import { useQueryClient } from '@tanstack/react-query';
import { type ComponentType, type ReactNode, useEffect, useRef } from 'react';
import type { Api } from './api.ts';
import { useConsole } from './context.ts';
import { type List, listQuery } from './list.ts';
import { beforeNavigation, Link, nameIn, useAddress } from './navigation.tsx';
import { Boundary } from './parts/boundary.tsx';
import { Empty } from './parts/states.tsx';
import AccountView from './views/account.tsx';
import Accounts, { accountsList } from './views/accounts.tsx';
import Audit from './views/audit.tsx';
import Drills from './views/drills.tsx';
import KeyView from './views/key.tsx';
import Keys, { keysList } from './views/keys.tsx';
import Now from './views/now.tsx';
import Owner from './views/owner.tsx';
import Play from './views/play.tsx';
import Timeline, { timelineList } from './views/timeline.tsx';
import { visible } from './visible.ts';

interface View {
  readonly name: string;
  readonly path: string;
  readonly view: ComponentType;
  /** The list that the view shows first. Its request is sent before the view is drawn. */
  readonly list?: (api: Api, query: URLSearchParams) => List<ListedPage>;
  readonly isLocal?: true;
}

interface ListedPage {
  readonly value: readonly unknown[];
  readonly nextLink?: string;
}

const views: readonly View[] = [
  { name: 'Now', path: '/', view: Now },
  { name: 'Accounts', path: '/accounts', view: Accounts, list: accountsList },
  { name: 'Keys', path: '/keys', view: Keys, list: keysList },
  { name: 'Timeline', path: '/timeline', view: Timeline, list: timelineList },
  { name: 'Audit', path: '/audit', view: Audit },
  { name: 'Drills and bounds', path: '/drills', view: Drills },
  { name: 'Play the customer', path: '/play', view: Play, isLocal: true },
];

export function App() {
  const { api, session, config } = useConsole();
  const queries = useQueryClient();
  useEffect(
    () =>
      beforeNavigation(({ path: next, query: filters }) => {
        const list = views.find((one) => one.path === next)?.list;
        if (list !== undefined) void queries.prefetchInfiniteQuery(listQuery(list(api, filters)));
      }),
    [api, queries],
  );
  const { path, query } = useAddress();
  const shown = views.filter(({ isLocal }) => isLocal === undefined || config.local !== undefined);
  const { title, view: View } = viewAt(path, query, shown);
  return (
    <>
      <a href="#content" className="skip">
        Skip to the content
      </a>
      <header className="top">
        <strong className="brand">Keyward</strong>
        <nav aria-label="Views">
          <ul>
            {shown.map(({ name, path: to }) => (
              <li key={to} data-current={isWithin(path, to)}>
                <Link to={to}>{name}</Link>
              </li>
            ))}
          </ul>
        </nav>
        <div className="user">
          <span>{session.user}</span>
          <Button size="small" onClick={() => void session.signOut()}>
            Sign out
          </Button>
        </div>
        {config.local === undefined ? null : (
          <p className="local">
            This is the embedded stack on this machine: its users are those of the local issuer, and its vaults and data
            are local.
          </p>
        )}
      </header>
      <Content title={title}>
        {View === undefined ? (
          <Empty title="The console has no such view.">
            <Link to="/">Show what is down now.</Link>
          </Empty>
        ) : (
          <Boundary key={title}>
            <View />
          </Boundary>
        )}
      </Content>
    </>
  );
}

const isWithin = (path: string, view: string): boolean => path === view || path.startsWith(`${view}/`);

function viewAt(path: string, query: URLSearchParams, shown: readonly View[]): { title: string; view?: ComponentType } {
  const name = nameIn(path);
  if (/^\/accounts\/[^/]+$/.test(path) && name !== undefined) return { title: visible(name), view: AccountView };
  if (/^\/owners\/[^/]+$/.test(path) && name !== undefined) return { title: `Customer ${visible(name)}`, view: Owner };
  if (path === '/keys/one')
    return { title: visible(query.get('key')?.replace('https://', '') ?? 'Key'), view: KeyView };
  const found = shown.find((one) => one.path === path);
  return found === undefined ? { title: 'Not found' } : { title: found.name, view: found.view };
}

/** The heading gets the focus when the view changes, so that a screen reader reads the new view. */
function Content({ title, children }: { title: string; children: ReactNode }) {
  const heading = useRef<HTMLHeadingElement>(null);
  const shown = useRef(title);
  useEffect(() => {
    document.title = `${title} · Keyward`;
    if (shown.current !== title) heading.current?.focus();
    shown.current = title;
  }, [title]);
  return (
    <main id="content" className="page">
      <h1 ref={heading} tabIndex={-1}>
        {title}
      </h1>
      {children}
    </main>
  );
}
