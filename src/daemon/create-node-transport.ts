import { type BufferedTransportOptions, createBufferedTransport } from '../http/buffered-transport.ts';
import { createKernelTransport } from '../http/kernel-transport.ts';
import type { Transport } from '../http/transport.ts';
import type { Logger } from '../observe/log.ts';

/** Options of createNodeTransport. */
export interface NodeTransportOptions extends Omit<BufferedTransportOptions, 'kernel'> {
  readonly isKernelOn: boolean;
}

/** The transport of the node. */
export function createNodeTransport(
  { logger }: { readonly logger: Logger },
  { isKernelOn, ...options }: NodeTransportOptions,
): Transport {
  if (!isKernelOn) return createBufferedTransport(options);
  const onError = (error: unknown) => logger.error('the kernel transport failed', { error });
  return createKernelTransport({ ...options, onError });
}
