/**
 * LOCAL ONLY: what a customer does in Azure, as calls of the Key Vault emulator (packages/key-vault-emulator, GET
 * /control).
 */
import type { Action } from './parts/actions.tsx';

export interface Vault {
  readonly name: string;
  readonly deleted?: string;
  readonly firewall: string;
  readonly keys: readonly string[];
  readonly roleAssignments: readonly { readonly principal: string }[];
  readonly throttle: { readonly enabled?: boolean };
}

export function customerOf(emulator: string) {
  const call = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const response = await fetch(`${emulator}/control${path}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`The emulator answered ${response.status}. ${text}`);
    return (text === '' ? undefined : JSON.parse(text)) as T;
  };
  return {
    vaults: () => call<Vault[]>('GET', '/vaults'),
    keyActions(vault: string, key: string): Action[] {
      const path = `/vaults/${vault}/keys/${key}`;
      return [
        { label: 'Disable', run: () => call('PATCH', path, { enabled: false }) },
        { label: 'Enable', run: () => call('PATCH', path, { enabled: true }) },
        { label: 'New version', run: () => call('POST', `${path}/rotate`) },
        { label: 'Delete', run: () => call('DELETE', path) },
        { label: 'Recover', run: () => call('POST', `${path}/recover`) },
      ];
    },
    /** `principal`: Keyward's identity at this vault, as a key of Keyward names it. */
    vaultActions(vault: string, principal: string | undefined): Action[] {
      const path = `/vaults/${vault}`;
      const grants =
        principal === undefined
          ? []
          : [
              { label: 'Remove the role', run: () => call('DELETE', `${path}/grants/${principal}`) },
              {
                label: 'Give the role',
                run: () => call('PUT', `${path}/grants/${principal}`, { permissions: 'cryptoServiceEncryptionUser' }),
              },
            ];
      return [
        ...grants,
        { label: 'Close the firewall', run: () => call('PATCH', path, { firewall: 'ForbiddenByFirewall' }) },
        { label: 'Open the firewall', run: () => call('PATCH', path, { firewall: 'ok' }) },
        {
          label: 'Throttle all calls',
          run: () => call('POST', '/faults', { vault, action: 'throttled', retryAfter: 1 }),
        },
        { label: 'Remove all faults', run: () => call('DELETE', '/faults') },
      ];
    },
  };
}
