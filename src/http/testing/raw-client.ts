import { connect, type Socket } from 'node:net';
import { until } from '../../runtime/conditions.fixture.ts';

/** A TCP client that shows what really arrives, and how the connection ends. */
export interface RawClient extends Disposable {
  readonly socket: Socket;
  /** All bytes so far. */
  readonly received: Buffer;
  /** `fin` and `reset` are what a Go client tells apart as "unexpected EOF" and "connection reset by peer". */
  readonly end: 'open' | 'fin' | 'reset';
  send(text: string): void;
  /** Waits for the end of the n-th head (from 1); gives its text and where its body starts. */
  head(n?: number): Promise<{ text: string; bodyStart: number }>;
}

/** Connects to a port on the loopback. */
export async function connectRaw(port: number, host = '127.0.0.1'): Promise<RawClient> {
  const chunks: Buffer[] = [];
  let end: RawClient['end'] = 'open';
  const socket = connect({ port, host, allowHalfOpen: true });
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.on('end', () => {
    end = 'fin';
  });
  socket.on('error', () => {
    end = 'reset';
  });
  const client: RawClient = {
    socket,
    get received() {
      const all = Buffer.concat(chunks);
      chunks.splice(0, chunks.length, all);
      return all;
    },
    get end() {
      return end;
    },
    send: (text) => {
      socket.write(text);
    },
    async head(n = 1) {
      const find = () => {
        let at = -4;
        for (let i = 0; i < n; i++) {
          at = client.received.indexOf('\r\n\r\n', at + 4);
          if (at === -1) return -1;
        }
        return at;
      };
      await until(() => find() !== -1 || end !== 'open');
      const at = find();
      if (at === -1) throw new Error(`Connection ended (${end}) after ${client.received.length} bytes`);
      return { text: client.received.toString('latin1', 0, at), bodyStart: at + 4 };
    },
    [Symbol.dispose]: () => socket.destroy(),
  };
  return client;
}

/** A GET request as text. */
export function getRequest(path = '/', headers = ''): string {
  return `GET ${path} HTTP/1.1\r\nHost: node\r\n${headers}\r\n`;
}
