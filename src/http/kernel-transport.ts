import type { BufferedClientOptions } from './buffered-client.ts';
import { createBufferedTransport } from './buffered-transport.ts';
import { createKernelMover, type KernelMoverOptions } from './kernel/kernel-mover.ts';
import type { Transport } from './transport.ts';

/** Options of createKernelTransport. */
export type KernelTransportOptions = BufferedClientOptions & KernelMoverOptions;

/**
 * The transport in which long bodies stay in the kernel: a range of a file goes out by sendfile(), what a peer sends by
 * splice(), in a thread of its own. Heads, small bodies, TLS, and bodies that others follow while they come go through this
 * process's memory as in the buffered transport, and all of it does where the C library cannot be called.
 */
export function createKernelTransport({
  onError,
  minBytes,
  memoryShare,
  ...options
}: KernelTransportOptions): Transport {
  const kernel = createKernelMover({ onError, minBytes, memoryShare });
  const transport = createBufferedTransport({ ...options, kernel });
  return {
    ...transport,
    async close() {
      await transport.close();
      kernel?.close();
    },
  };
}
