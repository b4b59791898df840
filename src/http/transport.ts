import type { BodyMover } from './body-mover.ts';
import type { HttpServer, HttpServerOptions } from './http-server.ts';

/** What the kernel moves for a transport. */
export interface KernelFigures {
  /** It can be used. */
  readonly isOn: boolean;
  /** Bytes that it moved to clients since the start. */
  readonly movedBytes: number;
}

/**
 * Serves clients, asks peers and opens sources. The responses to its clients move the sources that it opened itself, and no
 * others. Every implementation passes transport.conformance.ts.
 */
export interface Transport extends BodyMover {
  /** Listens and answers. Rejects if the address is malformed (TypeError) or cannot be had. */
  serve(options: HttpServerOptions): Promise<HttpServer>;
  /** How much of what was moved to clients stayed in the kernel. */
  kernelFigures(): KernelFigures;
  /** Closes idle connections, refuses further requests, and stops moves that still run. Listeners are closed before, each by itself. */
  close(): Promise<void>;
}
