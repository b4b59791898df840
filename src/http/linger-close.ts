import type { Socket } from 'node:net';
import { LINGER_MS } from './limits.ts';

/**
 * Closes a connection in order: what was written is flushed, then FIN, and what the client still sends is read
 * and dropped for a while. Closing at once while its bytes are unread would send RST (RFC 9112, 9.6), which may
 * overtake what the client has not read yet.
 */
export function lingerClose(socket: Socket, flushTimeoutMs: number): void {
  if (socket.destroyed) return;
  const flushing = setTimeout(() => socket.destroy(), flushTimeoutMs);
  let lingering: Timer | undefined;
  socket.once('close', () => {
    clearTimeout(flushing);
    clearTimeout(lingering);
  });
  socket.once('error', () => {});
  socket.end(() => {
    clearTimeout(flushing);
    lingering = setTimeout(() => socket.destroy(), LINGER_MS);
    socket.resume();
  });
}
