/** LOCAL ONLY: play the customer, and watch the effect. Each action is one call of the Key Vault emulator. */
import { useQuery } from '@tanstack/react-query';
import { bodyOf } from '../api.ts';
import { useConsole } from '../context.ts';
import { Link } from '../navigation.tsx';
import { Actions } from '../parts/actions.tsx';
import { countOf } from '../parts/count.ts';
import { keyPath } from '../parts/links.tsx';
import { Empty, Failure, Loading } from '../parts/states.tsx';
import { Status } from '../parts/status.tsx';
import { customerOf, type Vault } from '../play.ts';
import type { Key } from './keys.tsx';

export default function Play() {
  const { api, config } = useConsole();
  const customer = customerOf(config.local?.keyVault ?? '');
  const vaults = useQuery({ queryKey: ['vaults'], queryFn: customer.vaults, refetchInterval: 5_000 });
  const keys = useQuery({
    queryKey: ['keys', 'played'],
    queryFn: () => bodyOf(api.GET('/api/operator/keys', { params: { query: { $top: 100 } } })),
    refetchInterval: 1_000,
  });
  if (vaults.error !== null) return <Failure error={vaults.error} retry={vaults.refetch} />;
  if (vaults.data === undefined || keys.data === undefined) return <Loading what="the vaults" />;
  const known = keys.data.value;
  const used = vaults.data.filter(({ name }) => known.some(({ key }) => key.startsWith(`https://${name}.`)));
  if (used.length === 0)
    return (
      <Empty title="No account has a customer key yet.">
        Paste the first two lines that <code>npm start</code> prints, and this page shows the vault.
      </Empty>
    );
  return used.map((vault) => <VaultPanel key={vault.name} vault={vault} keys={known} />);
}

function VaultPanel({ vault, keys }: { vault: Vault; keys: readonly Key[] }) {
  const { config } = useConsole();
  const customer = customerOf(config.local?.keyVault ?? '');
  const inVault = keys.filter(({ key }) => key.startsWith(`https://${vault.name}.`));
  const { identity } = inVault[0] ?? {};
  return (
    <section className="card vault" aria-label={`Vault ${vault.name}`}>
      <h2>Vault {vault.name}</h2>
      <Actions of={customer.vaultActions(vault.name, identity?.principalId)} />
      {inVault.map(({ key, status, accounts, cause }) => {
        const name = key.split('/').at(-1) ?? '';
        return (
          <div key={key} className="played">
            <h3>
              <Link to={keyPath(key)}>Key {name}</Link> <Status of={status} /> {cause}{' '}
              <span className="muted">{countOf(accounts, 'account')}</span>
            </h3>
            <Actions of={customer.keyActions(vault.name, name)} />
          </div>
        );
      })}
    </section>
  );
}
