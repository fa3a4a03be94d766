/** The dry run of the account's key: every check against the vault, and nothing is changed. */
import { Button } from '@fluentui/react-components';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { bodyOf } from '../api.ts';
import { useConsole } from '../context.ts';
import { Checks } from '../parts/checks.tsx';
import { Failure, Loading } from '../parts/states.tsx';

export function DryRun({ account }: { account: string }) {
  const { api } = useConsole();
  const [isOn, setOn] = useState(false);
  const { data, error, refetch, isFetching } = useQuery({
    queryKey: ['dryRun', account],
    queryFn: () =>
      bodyOf(
        api.POST('/api/operator/accounts/{accountName}/validateEncryption', {
          params: { path: { accountName: account } },
          body: {},
        }),
      ),
    enabled: isOn,
    refetchInterval: 5_000,
  });
  return (
    <>
      <h2>Validation checks</h2>
      <Button onClick={() => setOn(!isOn)}>{isOn ? 'Stop the checks' : 'Run the checks'}</Button>
      {error === null ? null : <Failure error={error} retry={refetch} />}
      {isOn && data === undefined && isFetching ? <Loading what="the checks" /> : null}
      {!isOn || data === undefined ? null : <Checks of={data.checks} />}
    </>
  );
}
