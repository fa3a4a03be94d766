/** What an operator does to an account. A deletion needs the account's name, because it destroys the account key. */
import { Button, Field, Input } from '@fluentui/react-components';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { type Account, bodyOf, type Schemas } from '../api.ts';
import { useConsole } from '../context.ts';
import { navigate } from '../navigation.tsx';
import { type Action, Actions } from '../parts/actions.tsx';
import { Modal } from '../parts/modal.tsx';
import { Failure } from '../parts/states.tsx';

export function AccountActions({ account }: { account: Account }) {
  const { api } = useConsole();
  const { name } = account;
  const [isDeleting, setDeleting] = useState(false);
  const params = { params: { path: { accountName: name } } };
  const ofCustomerKey: readonly Action[] = [
    { label: 'Check the key now', run: () => bodyOf(api.POST('/api/operator/looks', { body: { account: name } })) },
    { label: 'Re-wrap', run: () => bodyOf(api.POST('/api/operator/rewraps', { body: { account: name } })) },
    {
      label: 'Repair the identity',
      run: () =>
        bodyOf(
          api.POST('/api/operator/accounts/{accountName}/repairIdentity', { ...params, body: identityOf(account) }),
        ),
    },
  ];
  const rotate = {
    label: 'Rotate the account key',
    run: () => bodyOf(api.POST('/api/operator/accounts/{accountName}/rotateAccountKey', params)),
  };
  return (
    <>
      <Actions of={account.properties.encryption.type === 'CustomerKey' ? [...ofCustomerKey, rotate] : [rotate]}>
        <Button size="small" onClick={() => setDeleting(true)}>
          Delete the account
        </Button>
      </Actions>
      {isDeleting ? <DeleteDialog account={account} onClose={() => setDeleting(false)} /> : null}
    </>
  );
}

/** The identity that the account has: the repair binds the account to it again, after it was created again. */
function identityOf({ properties: { encryption } }: Account): Schemas['IdentityRepair'] {
  if (encryption.type !== 'CustomerKey') return { identity: { useSystemAssignedIdentity: true } };
  const { principalId: _principal, ...identity } = encryption.identity;
  return { identity };
}

function DeleteDialog({ account: { name, etag }, onClose }: { account: Account; onClose: () => void }) {
  const { api } = useConsole();
  const queries = useQueryClient();
  const [typed, setTyped] = useState('');
  const remove = useMutation({
    mutationFn: () =>
      bodyOf(
        api.DELETE('/api/accounts/{accountName}', {
          params: { path: { accountName: name }, header: { 'If-Match': etag } },
        }),
      ),
    onSuccess: () => {
      navigate('/accounts');
      return queries.invalidateQueries();
    },
  });
  return (
    <Modal title={`Delete ${name}?`} onClose={onClose}>
      <p>This destroys the account key of {name}, and with it everything that the key protects.</p>
      <Field label={`Type ${name} to confirm`}>
        <Input value={typed} onChange={(_, { value }) => setTyped(value)} />
      </Field>
      {remove.error === null ? null : <Failure error={remove.error} />}
      <div className="actions">
        <Button onClick={onClose}>Cancel</Button>
        <Button appearance="primary" disabled={typed !== name || remove.isPending} onClick={() => remove.mutate()}>
          Delete {name}
        </Button>
      </div>
    </Modal>
  );
}
