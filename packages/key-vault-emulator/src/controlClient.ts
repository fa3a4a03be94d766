/** A client of the emulator's control API. The Entra emulator's control API has the same form, so it works there too. */
export type ControlMethod = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export type KeyVaultControl = <T = unknown>(method: ControlMethod, path: string, body?: unknown) => Promise<T>;

/** `path` follows `/control`. Rejects with the emulator's message unless the status is 2xx. */
export function keyVaultControl(url: string): KeyVaultControl {
  return async <T>(method: ControlMethod, path: string, body?: unknown) => {
    const response = await fetch(`${url}/control${path}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} /control${path} answered ${response.status}: ${text}`);
    return (text === '' ? undefined : JSON.parse(text)) as T;
  };
}
