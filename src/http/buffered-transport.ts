import { createHttpServer } from './buffered-http-server.ts';
import { type BufferedClientOptions, createBufferedClient } from './buffered-client.ts';
import type { KernelMover } from './kernel/kernel-mover.ts';
import type { Transport } from './transport.ts';

/** Options of createBufferedTransport. */
export interface BufferedTransportOptions extends BufferedClientOptions {
  /** Moves what is long. Default: all goes through this process's memory. */
  readonly kernel?: KernelMover | undefined;
}

/** The transport over reads into memory and writes from it. */
export function createBufferedTransport({ kernel, ...options }: BufferedTransportOptions = {}): Transport {
  return {
    ...createBufferedClient(options),
    kernelFigures: () => ({ isOn: kernel?.isReady === true, movedBytes: kernel?.movedBytes ?? 0 }),
    serve: (serverOptions) => createHttpServer({ ...serverOptions, kernel }),
  };
}
