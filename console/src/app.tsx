/** The frame of the console: the views, and who is signed in. A view is loaded when it is first shown. */
import { Button } from '@fluentui/react-components';
import { type ComponentType, lazy, type ReactNode, Suspense, useEffect, useRef } from 'react';
import { useConsole } from './context.ts';
import { Link, useAddress } from './navigation.tsx';
import { Empty, Loading } from './parts/states.tsx';

interface View {
  readonly name: string;
  readonly path: string;
  readonly view: ComponentType;
  readonly isLocal?: true;
}

const views: readonly View[] = [
  { name: 'Accounts', path: '/accounts', view: lazy(() => import('./views/accounts.tsx')) },
  { name: 'Audit', path: '/audit', view: lazy(() => import('./views/audit.tsx')) },
  { name: 'Health', path: '/health', view: lazy(() => import('./views/health.tsx')) },
];
const AccountView = lazy(() => import('./views/account.tsx'));

export function App() {
  const { session, config } = useConsole();
  const { path } = useAddress();
  const shown = views.filter(({ isLocal }) => isLocal === undefined || config.local !== undefined);
  const current = shown.find((one) => one.path === path) ?? (path === '/' ? shown[0] : undefined);
  const [, account] = /^\/accounts\/([^/]+)$/.exec(path) ?? [];
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
              <li
                key={to}
                {...(path.startsWith(to) || (path === '/' && to === shown[0]?.path) ? { 'data-current': 'true' } : {})}
              >
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
          <p className="local">This is the embedded stack on this machine: its issuer, vaults and data are local.</p>
        )}
      </header>
      <Content title={account === undefined ? (current?.name ?? 'Not found') : decodeURIComponent(account)}>
        <Suspense fallback={<Loading what="the view" />}>
          {account !== undefined ? (
            <AccountView key={account} />
          ) : current === undefined ? (
            <Empty title="The console has no such view.">
              <Link to="/">Show the first view.</Link>
            </Empty>
          ) : (
            <current.view />
          )}
        </Suspense>
      </Content>
    </>
  );
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
