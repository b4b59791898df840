import { getSocketOption, IPPROTO_TCP } from '../socket-option.ts';

/** A connection on the loopback that does not read, and its other end. */
export async function withConnection(
  work: (fd: number, other: { write(data: Uint8Array): number }) => Promise<void> | void,
): Promise<void> {
  const accepted = Promise.withResolvers<{ write(data: Uint8Array): number }>();
  const server = Bun.listen({
    hostname: '127.0.0.1',
    port: 0,
    socket: { data() {}, open: (socket) => accepted.resolve(socket) },
  });
  const client = await Bun.connect({ hostname: '127.0.0.1', port: server.port, socket: { data() {} } });
  try {
    client.pause();
    await work((client as unknown as { readonly fd: number }).fd, await accepted.promise);
  } finally {
    client.terminate();
    server.stop(true);
  }
}

/** The largest window that TCP offers to the peer, in bytes (tcp(7)). */
export const windowClamp = (fd: number): number => getSocketOption(fd, 10, IPPROTO_TCP);
