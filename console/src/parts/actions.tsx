/** Buttons that each make one call. What was done is read out, and a refusal is shown below. */
import { Button } from '@fluentui/react-components';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { type ReactNode, useState } from 'react';
import { Failure } from './states.tsx';

export interface Action {
  readonly label: string;
  readonly run: () => Promise<unknown>;
}

export function Actions({ of, children }: { of: readonly Action[]; children?: ReactNode }) {
  const queries = useQueryClient();
  const [done, setDone] = useState('');
  const act = useMutation({
    mutationFn: (action: Action) => action.run(),
    onMutate: () => setDone(''),
    onSuccess: (_, { label }) => {
      setDone(`${label}: done.`);
      return queries.invalidateQueries();
    },
  });
  return (
    <>
      <div className="actions">
        {of.map((action) => (
          <Button key={action.label} size="small" disabled={act.isPending} onClick={() => act.mutate(action)}>
            {action.label}
          </Button>
        ))}
        {children}
        <span role="status">{done}</span>
      </div>
      {act.error === null ? null : <Failure error={act.error} />}
    </>
  );
}
