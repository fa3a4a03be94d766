/**
 * An HTTP proxy on the loopback address for unmodified clients: it accepts CONNECT for the host names of targets.ts and
 * no other, speaks TLS with a certificate of its own authority, and forwards each request to the embedded stack.
 * Nothing leaves this machine.
 */
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
  request as sendRequest,
} from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { issueCertificate, openAuthority } from './certificates.ts';
import { hostNames, isProxied, type Parts, refuseRemoteParts, targetOf } from './targets.ts';

export interface ProxyOptions extends Parts {
  /** Default 0: any free port. */
  readonly port?: number;
  /** The folder that stores the certificate authority. */
  readonly dir: string;
}

export interface ConnectProxy {
  readonly url: string;
  /** The authority's certificate, which clients must trust. */
  readonly caFile: string;
  stop(): Promise<void>;
}

export async function startProxy(options: ProxyOptions): Promise<ConnectProxy> {
  refuseRemoteParts(options);
  const authority = await openAuthority(options.dir);
  const inner = createTlsServer(issueCertificate(authority, hostNames), (request, response) =>
    forward(options, request, response),
  );
  const outer = createServer((_request, response) => {
    response.writeHead(403).end('This proxy accepts CONNECT only, for the host names of the embedded stack.\n');
  });
  const tunnels = new Set<Socket>();
  outer.on('connect', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    tunnels.add(socket.on('error', () => undefined));
    socket.once('close', () => tunnels.delete(socket));
    const [, host = '', port] = /^(.*):(\d+)$/.exec(request.url ?? '') ?? [];
    if (port !== '443' || !isProxied(host.toLowerCase())) {
      socket.end(`HTTP/1.1 403 Forbidden\r\n\r\nThis proxy does not reach ${request.url}.\r\n`);
      return;
    }
    socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
    if (head.length > 0) socket.unshift(head);
    inner.emit('connection', socket);
  });
  await listen(outer, options.port ?? 0);
  return {
    url: `http://127.0.0.1:${(outer.address() as AddressInfo).port}`,
    caFile: authority.file,
    async stop() {
      for (const socket of tunnels) socket.destroy();
      const closed = new Promise<void>((resolve) => outer.close(() => resolve()));
      outer.closeAllConnections();
      await closed;
    },
  };
}

function forward(parts: Parts, request: IncomingMessage, response: ServerResponse): void {
  const host = (request.headers.host ?? '').toLowerCase().replace(/:443$/, '');
  const target = targetOf(host, request.url ?? '/', parts);
  if (target === undefined) return void response.writeHead(421).end();
  if ('status' in target) {
    response.writeHead(target.status, { 'content-type': 'application/json; charset=utf-8' });
    return void response.end(JSON.stringify(target.body));
  }
  const forwarded = { host, 'x-forwarded-proto': 'https', 'x-forwarded-host': host };
  const headers = { ...endToEnd(request.headers), ...forwarded };
  const upstream = sendRequest(target.forwardTo, { method: request.method ?? 'GET', headers });
  upstream.once('response', (answer) => {
    // The vault's name does not resolve. A client behind a real proxy sees its connection fail.
    if (answer.headers['x-emulator-network-error'] !== undefined) return void response.destroy();
    response.writeHead(answer.statusCode ?? 502, endToEnd(answer.headers));
    answer.pipe(response);
  });
  upstream.once('error', () => response.destroy());
  response.once('close', () => upstream.destroy());
  request.pipe(upstream);
}

/** Without the headers of the connection on one side, which do not hold for the other (RFC 9110, 7.6.1). */
function endToEnd(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const { connection: _connection, 'keep-alive': _keepAlive, ...others } = headers;
  return others;
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject).listen(port, '127.0.0.1', () => {
      server.off('error', reject);
      resolve();
    });
  });
}
