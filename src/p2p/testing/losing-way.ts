import type { Socket } from 'bun';

/** A way to a port that can be lost. */
export interface LosingWay {
  /** Leads to the port, on 127.0.0.1. */
  readonly port: number;
  /** From now on nothing comes through any more, and neither end is told. */
  lose(): void;
}

/** Opens a way to the port on 127.0.0.1; it goes with the stack. */
export function openWay(cleanup: AsyncDisposableStack, port: number): LosingWay {
  let isLost = false;
  const ends = new Set<Socket>();
  /** Hands on what comes to the other end, once that is there. */
  const handler = (other: Promise<Socket>) => ({
    data: (_: Socket, bytes: Buffer) => {
      const kept = Uint8Array.from(bytes);
      void other.then((socket) => void (isLost || socket.write(kept)));
    },
    close: () => void other.then((socket) => void (isLost || socket.end())),
  });
  const server = Bun.listen({
    hostname: '127.0.0.1',
    port: 0,
    socket: {
      open(client) {
        ends.add(client);
        const target = Bun.connect({ hostname: '127.0.0.1', port, socket: handler(Promise.resolve(client)) });
        void target.then((socket) => ends.add(socket));
        client.reload({ socket: handler(target) });
      },
      data() {},
    },
  });
  cleanup.defer(() => {
    for (const end of ends) end.terminate();
    server.stop(true);
  });
  return {
    port: server.port,
    lose() {
      isLost = true;
    },
  };
}
