import { Client, credentials, type Metadata, type ServiceError } from '@grpc/grpc-js';
import type { ApiMethod } from './containerd-api.ts';

const MIB = 1024 * 1024;
/** All images come in one message, 0.5-1 KiB each with labels. containerd sends 16 MiB unless its configuration says more. */
const MAX_RECEIVE_BYTES = 64 * MIB;

/** How a call is made. */
export interface UnaryOptions {
  readonly metadata: Metadata;
  /** When the call is given up, in ms from now. */
  readonly deadlineMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** A gRPC client over a unix socket. Connects at the first call; never asks a DNS server or an HTTP proxy. */
export function connectTo(socketPath: string): Client {
  return new Client(`unix:${socketPath}`, credentials.createInsecure(), {
    'grpc.enable_http_proxy': 0,
    'grpc.max_receive_message_length': MAX_RECEIVE_BYTES,
    // The configuration of a service is looked up in DNS otherwise.
    'grpc.service_config_disable_resolution': 1,
    // Who is away is asked again by the caller, who wants to know at once.
    'grpc.enable_retries': 0,
  });
}

/** Calls a method. Rejects with a ServiceError, or with the signal's reason. */
export function callUnary<Request, Response>(
  client: Client,
  { path, encode, decode }: ApiMethod<Request, Response>,
  request: Request,
  { metadata, deadlineMs, signal }: UnaryOptions,
): Promise<Response | undefined> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(signal.reason as Error);
      return;
    }
    const onAbort = () => call.cancel();
    const done = (error: ServiceError | null, response?: Response) => {
      signal?.removeEventListener('abort', onAbort);
      if (error === null) resolve(response);
      else reject(signal?.aborted === true ? (signal.reason as Error) : error);
    };
    const deadline = Date.now() + deadlineMs;
    const call = client.makeUnaryRequest(path, encode, decode, request, metadata, { deadline }, done);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/** True for what a call rejects with when the server, or the way to it, has failed. */
export function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && 'code' in error && 'details' in error && 'metadata' in error;
}
