/** The page: configuration, sign-in, then the console. A customer's page comes with a link, and needs no sign-in. */
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { type ReactNode, StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { ApiError, createApi } from './api.ts';
import { App } from './app.tsx';
import { readConfig } from './config.ts';
import { ConsoleContext } from './context.ts';
import { NoSignIn } from './noSignIn.tsx';
import { Boundary } from './parts/boundary.tsx';
import { Failure } from './parts/states.tsx';
import './styles.css';
import { Themed } from './themed.tsx';

const root = createRoot(document.getElementById('root') ?? document.body);
const show = (page: ReactNode) =>
  root.render(
    <StrictMode>
      <Themed>{page}</Themed>
    </StrictMode>,
  );

/** A refusal stays the same when the call is repeated. */
const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 2_000,
      retry: (count, error) => count < 2 && !(error instanceof ApiError && error.status < 500),
    },
  },
});

async function start(): Promise<void> {
  if (location.pathname.replace(/\/$/, '') === '/console/customer') return showCustomer();
  const [config, { signIn }] = await Promise.all([readConfig(), import('./signIn.ts')]);
  const { clientId, auth } = config;
  if (auth === 'functionKeys' || clientId === undefined) return show(<NoSignIn config={config} />);
  const session = await signIn({ ...config, clientId });
  if (session === undefined) return;
  const console = { config, session, api: createApi(session) };
  show(
    <QueryClientProvider client={queries}>
      <ConsoleContext value={console}>
        <App />
      </ConsoleContext>
    </QueryClientProvider>,
  );
}

async function showCustomer(): Promise<void> {
  const { CustomerPage } = await import('./customer.tsx');
  // Another link in the same tab changes only what is after the #.
  window.addEventListener('hashchange', () => location.reload());
  const token = linkToken();
  show(
    <QueryClientProvider client={queries}>
      <Boundary>
        <CustomerPage token={token} />
      </Boundary>
    </QueryClientProvider>,
  );
}

/**
 * The token of the link, for this tab. It leaves the address, which the history, a bookmark and a shared screen show.
 * The page can be loaded again in the same tab.
 */
function linkToken(): string {
  const token = location.hash.slice(1);
  if (token === '') return sessionStorage.getItem('link') ?? '';
  sessionStorage.setItem('link', token);
  history.replaceState(null, '', location.pathname);
  return token;
}

start().catch((error: unknown) =>
  show(
    <main className="page">
      <Failure error={error instanceof Error ? error : new Error(String(error))} retry={() => location.reload()} />
    </main>,
  ),
);
