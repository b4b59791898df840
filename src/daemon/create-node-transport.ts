import { type BufferedTransportOptions, createBufferedTransport } from '../http/buffered-transport.ts';
import { createKernelTransport } from '../http/kernel-transport.ts';
import type { Transport } from '../http/transport.ts';
import type { Logger } from '../observe/log.ts';

/** Options of createNodeTransport. */
export interface NodeTransportOptions extends Omit<BufferedTransportOptions, 'kernel'> {
  readonly isKernelOn: boolean;
  /** What part of the usual memory the kernel's own buffers may have. */
  readonly memoryShare: number;
}

/** The transport of the node. */
export function createNodeTransport(
  { logger }: { readonly logger: Logger },
  { isKernelOn, memoryShare, ...options }: NodeTransportOptions,
): Transport {
  if (!isKernelOn) return createBufferedTransport(options);
  const onError = (error: unknown) => logger.error('the kernel transport failed', { error });
  return createKernelTransport({ ...options, memoryShare, onError });
}
