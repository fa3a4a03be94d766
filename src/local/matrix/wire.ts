/**
 * A proxy between Keyward and the Key Vault emulator that can replace a vault's response with any bytes, also with
 * bytes that the emulator never sends. Every other request passes unchanged.
 */
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Sends a response. `path` is that of the request: `/keys/cmk/<version>/unwrapkey`. */
export type Player = (response: ServerResponse, path: string) => void;

export interface Wire {
  readonly url: string;
  /** From now on. */
  leadTo(emulatorUrl: string): void;
  play(vault: string, player: Player): void;
  /** The vault answers again. */
  release(vault: string): void;
  stop(): Promise<void>;
}

export async function startWire(): Promise<Wire> {
  const players = new Map<string, Player>();
  const agent = new Agent({ keepAlive: true });
  let emulatorUrl: string | undefined;
  const server = createServer((received, response) => {
    const player = players.get(received.headers.host?.split('.', 1)[0] ?? '');
    if (player !== undefined) received.resume().on('end', () => player(response, received.url ?? '/'));
    else forward(received, response, emulatorUrl ?? '', agent);
  });
  server.keepAliveTimeout = 120_000;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    leadTo(url) {
      emulatorUrl = url;
    },
    play: (vault, player) => void players.set(vault, player),
    release: (vault) => void players.delete(vault),
    async stop() {
      agent.destroy();
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

function forward(received: IncomingMessage, response: ServerResponse, emulatorUrl: string, agent: Agent): void {
  const { method, headers, url } = received;
  const onward = request(new URL(url ?? '/', emulatorUrl), { method, headers, agent }, (answer) => {
    response.writeHead(answer.statusCode ?? 500, answer.headers);
    answer.pipe(response);
  });
  onward.on('error', () => response.socket?.resetAndDestroy());
  response.on('close', () => {
    if (!response.writableFinished) onward.destroy();
  });
  received.pipe(onward);
}
