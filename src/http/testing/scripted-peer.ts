import { createServer, type AddressInfo, type Socket } from 'node:net';

/** A peer that says on the wire whatever a test wants. */
export interface ScriptedPeer extends AsyncDisposable {
  readonly port: number;
  /** Connections that were made to it. */
  readonly connections: readonly Socket[];
  /** Heads of the requests that it got, in order. */
  readonly requests: readonly string[];
}

/** Starts a peer on the loopback; `onRequest` is called at each request's head, with its number from 0. */
export async function startScriptedPeer(
  onRequest: (socket: Socket, n: number) => void,
): Promise<ScriptedPeer> {
  const connections: Socket[] = [];
  const requests: string[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    connections.push(socket);
    let text = '';
    socket.on('error', () => {});
    socket.on('end', () => socket.end());
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      for (let end = text.indexOf('\r\n\r\n'); end !== -1; end = text.indexOf('\r\n\r\n')) {
        requests.push(text.slice(0, end));
        text = text.slice(end + 4);
        onRequest(socket, requests.length - 1);
      }
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    connections,
    requests,
    async [Symbol.asyncDispose]() {
      for (const socket of connections) socket.destroy();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
    },
  };
}

/** A response head with a Content-Length. */
export function okHead(contentLength: number | string, more = ''): string {
  return `HTTP/1.1 200 OK\r\nContent-Length: ${contentLength}\r\n${more}\r\n`;
}
