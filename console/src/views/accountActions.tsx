/** What an operator does to an account. A deletion needs the account's name to be typed. */
import { Button, Checkbox, Field, Input } from '@fluentui/react-components';
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
  const recover = {
    label: 'Recover the account',
    run: () => bodyOf(api.POST('/api/accounts/{accountName}/recover', params)),
  };
  const { state, encryption } = account.properties;
  const isPending = state === 'PendingDeletion';
  const offered = encryption.type === 'CustomerKey' ? [...ofCustomerKey, rotate] : [rotate];
  return (
    <>
      <Actions of={isPending ? [recover] : offered}>
        <Button size="small" onClick={() => setDeleting(true)}>
          {isPending ? 'Destroy its key now' : 'Delete the account'}
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

/** While its deletion is pending, an account can only be destroyed at once. */
function DeleteDialog({ account: { name, etag, properties }, onClose }: { account: Account; onClose: () => void }) {
  const { api } = useConsole();
  const queries = useQueryClient();
  const isPending = properties.state === 'PendingDeletion';
  const [typed, setTyped] = useState('');
  const [isNow, setNow] = useState(isPending);
  const remove = useMutation({
    mutationFn: () => {
      const query = isNow ? { now: 'true' as const } : {};
      const params = { path: { accountName: name }, header: { 'If-Match': etag }, query };
      return bodyOf(api.DELETE('/api/accounts/{accountName}', { params }));
    },
    onSuccess: () => {
      navigate('/accounts');
      return queries.invalidateQueries();
    },
  });
  return (
    <Modal title={`${isNow ? 'Destroy' : 'Delete'} ${name}?`} onClose={onClose}>
      <p>
        {isNow
          ? `This destroys the account key of ${name} at once, and with it all that the key protects.`
          : `${name} refuses every call at once. If it protects secrets or data keys, it can be recovered until its purge.`}
      </p>
      {isPending ? null : (
        <Checkbox
          label="Destroy its key at once. Recovery is then impossible."
          checked={isNow}
          onChange={(_, { checked }) => setNow(checked === true)}
        />
      )}
      <Field label={`Type ${name} to confirm`}>
        <Input value={typed} onChange={(_, { value }) => setTyped(value)} />
      </Field>
      {remove.error === null ? null : <Failure error={remove.error} />}
      <div className="actions">
        <Button onClick={onClose}>Cancel</Button>
        <Button appearance="primary" disabled={typed !== name || remove.isPending} onClick={() => remove.mutate()}>
          {isNow ? 'Destroy' : 'Delete'} {name}
        </Button>
      </div>
    </Modal>
  );
}
