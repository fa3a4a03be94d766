/** Calls the control API of the emulator, or of the token issuer, which speaks alike; for tests, the demo and whoever starts them. */
export type ControlMethod = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export type KeyVaultControl = <T = unknown>(method: ControlMethod, path: string, body?: unknown) => Promise<T>;

/** `path` is what follows `/control`. Rejects with the emulator's message on any answer but success. */
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
