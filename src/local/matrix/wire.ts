/**
 * A stage between Keyward and the Key Vault emulator that can replace a vault's response with any bytes, also with
 * bytes that the emulator never sends. Such a response comes over a socket. Every other request passes unchanged.
 */
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createDefaultHttpClient, type HttpClient } from '@azure/core-rest-pipeline';

/** Sends a response. `path` is that of the request: `/keys/cmk/<version>/unwrapkey`. */
export type Player = (response: ServerResponse, path: string) => void;

export interface Wire {
  /** The transport of the Key Vault clients. `direct` leads to the emulator. */
  over(direct: HttpClient): HttpClient;
  play(vault: string, player: Player): void;
  /** The vault answers again. */
  release(vault: string): void;
  stop(): Promise<void>;
}

export async function startWire(): Promise<Wire> {
  const players = new Map<string, Player>();
  const playerOf = (host: string | undefined) => players.get(host?.split('.', 1)[0] ?? '');
  const server = createServer((received, response) => {
    received.resume().on('end', () => {
      const player = playerOf(received.headers.host);
      // The vault was released while the request was on its way.
      if (player === undefined) response.destroy();
      else player(response, received.url ?? '/');
    });
  });
  server.keepAliveTimeout = 120_000;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const sockets = createDefaultHttpClient();
  return {
    over: (direct) => ({
      sendRequest(request) {
        if (playerOf(request.headers.get('host')) === undefined) return direct.sendRequest(request);
        const { pathname, search } = new URL(request.url);
        request.url = origin + pathname + search;
        return sockets.sendRequest(request);
      },
    }),
    play: (vault, player) => void players.set(vault, player),
    release: (vault) => void players.delete(vault),
    async stop() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
