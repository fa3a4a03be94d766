/** The app is set up so that no user can sign in: which setting to change. */
import { MessageBar, MessageBarBody, MessageBarTitle } from '@fluentui/react-components';
import type { ConsoleConfig } from './config.ts';

export function NoSignIn({ config: { auth } }: { config: ConsoleConfig }) {
  return (
    <main className="page">
      <h1>Keyward console</h1>
      <MessageBar intent="warning" layout="multiline">
        <MessageBarBody>
          <MessageBarTitle>No user can sign in to this service.</MessageBarTitle>
          {auth === 'functionKeys' ? (
            <>
              It accepts function keys, and the console signs users in with Microsoft Entra ID. Set{' '}
              <code>KEYWARD_AUTH</code> to <code>entra</code>. On this machine: <code>npm start</code> without{' '}
              <code>--auth functionKeys</code>.
            </>
          ) : (
            <>
              The application in which users sign in is not known. Set <code>KEYWARD_CONSOLE_CLIENT_ID</code> to its
              client id.
            </>
          )}
        </MessageBarBody>
      </MessageBar>
    </main>
  );
}
