/**
 * A client of the emulator's control API. The Entra emulator's control API has the same form, so it works there too.
 */
export type ControlMethod = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export type KeyVaultControl = <T = unknown>(method: ControlMethod, path: string, body?: unknown) => Promise<T>;

/** The status and the text of an answer. */
type Send = (method: ControlMethod, path: string, body: string | undefined) => Promise<readonly [number, string]>;

/** `path` follows `/control`. Rejects with the emulator's message unless the status is 2xx. */
export const keyVaultControl = (url: string): KeyVaultControl =>
  controlThrough(async (method, path, body) => {
    const response = await fetch(url + path, {
      method,
      ...(body === undefined ? {} : { body, headers: { 'content-type': 'application/json' } }),
    });
    return [response.status, await response.text()];
  });

export function controlThrough(send: Send): KeyVaultControl {
  return async <T>(method: ControlMethod, path: string, body?: unknown) => {
    const [status, text] = await send(method, `/control${path}`, body === undefined ? undefined : JSON.stringify(body));
    if (status < 200 || status > 299) throw new Error(`${method} /control${path} answered ${status}: ${text}`);
    return (text === '' ? undefined : JSON.parse(text)) as T;
  };
}
