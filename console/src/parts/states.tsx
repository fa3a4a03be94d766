/** What a view shows while it waits, when a call failed and when a list is empty. Each says what to do. */
import { Button, MessageBar, MessageBarBody, MessageBarTitle, Spinner } from '@fluentui/react-components';
import type { ReactNode } from 'react';
import { ApiError } from '../api.ts';

export function Loading({ what }: { what: string }) {
  return <Spinner size="small" label={`Loading ${what}`} className="loading" />;
}

interface FailureProps {
  readonly error: Error;
  /** Absent: the title of a call that failed. */
  readonly title?: string;
  readonly retry?: () => unknown;
}

export function Failure({ error, title, retry }: FailureProps) {
  const explained = title === undefined ? explain(error) : { title, advice: '' };
  return (
    <MessageBar intent="error" layout="multiline" className="message">
      <MessageBarBody>
        <MessageBarTitle>{explained.title}</MessageBarTitle>
        {error.message} {explained.advice}
        {retry === undefined ? null : (
          <Button size="small" onClick={() => void retry()} className="retry">
            Try again
          </Button>
        )}
      </MessageBarBody>
    </MessageBar>
  );
}

function explain(error: Error): { title: string; advice: string } {
  if (!(error instanceof ApiError))
    return { title: 'The API did not answer.', advice: 'Check your connection, then try again.' };
  const id = error.requestId === '' ? '' : `Request id: ${error.requestId}.`;
  if (error.code === 'AuthorizationFailed')
    return { title: 'You lack a role.', advice: `An administrator assigns it: infra/entra.sh allow. ${id}` };
  return { title: error.code, advice: id };
}

export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="empty">
      <strong>{title}</strong>
      <div>{children}</div>
    </div>
  );
}
