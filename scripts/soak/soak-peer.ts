import { createServer, type AddressInfo, type Socket } from 'node:net';
import type { RequestPlan } from './plan-request.ts';

const EXTRA = Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong');

/** A peer that answers as plans say. */
export interface SoakPeer extends AsyncDisposable {
  readonly port: number;
  /** Connections that are open. */
  readonly connections: number;
}

/** Starts the peer. `planOf` gives the plan of a request by the number in its path, `whole` is what bodies are parts of. */
export async function startSoakPeer(
  planOf: (n: number) => RequestPlan | undefined,
  whole: Buffer,
): Promise<SoakPeer> {
  const sockets = new Set<Socket>();
  const answer = (socket: Socket, n: number) => {
    const plan = planOf(n);
    if (plan === undefined) {
      socket.destroy();
      return;
    }
    const body = whole.subarray(plan.start, plan.start + plan.sizeBytes);
    const part = body.subarray(0, plan.sourceEndsAt);
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`);
    switch (plan.sourceEnds) {
      case 'whole':
        socket.write(body);
        break;
      case 'more':
        socket.write(body);
        socket.write(EXTRA);
        break;
      case 'early':
        socket.end(part);
        break;
      case 'reset':
        socket.write(part, () => socket.resetAndDestroy());
        break;
      case 'stall':
        socket.write(part);
        break;
    }
  };
  const server = createServer((socket) => {
    sockets.add(socket);
    let text = '';
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      for (let end = text.indexOf('\r\n\r\n'); end !== -1; end = text.indexOf('\r\n\r\n')) {
        answer(socket, Number(/^GET \/(\d+) /.exec(text)?.[1]));
        text = text.slice(end + 4);
      }
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', 1024, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    get connections() {
      return sockets.size;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
    },
  };
}
