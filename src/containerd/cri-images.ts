import { Metadata, status } from '@grpc/grpc-js';
import { StoreUnavailableError } from '../store/content-store.ts';
import { type ApiMethod, CRI } from './containerd-api.ts';
import type { CallOptions } from './containerd-client.ts';
import { callUnary, connectTo, isServiceError } from './unary-call.ts';

const SECOND_MS = 1000;
/** Callers give pulls up with a signal; this is for those that do not. */
const PULL_DEADLINE_MS = 60 * SECOND_MS;
/** A removal waits for containerd's garbage collection, which may take seconds on a slow disk. A process that ends waits for it, too. */
const REMOVE_DEADLINE_MS = 5 * SECOND_MS;

/** What was asked of the CRI was not done; the message is that of containerd, or of the connection to it. */
class CriError extends Error {
  override readonly name = 'CriError';
  readonly code = 'CRI_FAILED';
}

/** The images of the CRI, as kubelet pulls and removes them. */
export interface CriImages {
  /**
   * Pulls an image. Rejects with CriError for a pull that has failed and for a containerd that does not answer, with
   * StoreUnavailableError for one that has no CRI, and with the signal's reason.
   */
  pull(reference: string, options?: CallOptions): Promise<void>;
  /** Removes all names of an image, and the content that nothing else needs; one that is not there is removed. Rejects as pull(). */
  remove(reference: string, options?: CallOptions): Promise<void>;
  /** Closes the connection; calls in flight reject. */
  close(): void;
}

/** The CRI v1 at containerd's socket. Connects at the first call. */
export function createCriImages(socketPath: string): CriImages {
  const client = connectTo(socketPath);
  const metadata = new Metadata();

  async function call<Response>(
    method: ApiMethod<{ readonly image: { readonly image: string } }, Response>,
    reference: string,
    deadlineMs: number,
    { signal }: CallOptions = {},
  ): Promise<void> {
    try {
      await callUnary(client, method, { image: { image: reference } }, { metadata, deadlineMs, signal });
    } catch (error) {
      throw isServiceError(error) ? toError(error, socketPath) : error;
    }
  }

  return {
    pull: async (reference, options) => call(CRI.pullImage, reference, PULL_DEADLINE_MS, options),
    remove: async (reference, options) => call(CRI.removeImage, reference, REMOVE_DEADLINE_MS, options),
    close: () => client.close(),
  };
}

function toError(
  error: { readonly code: status; readonly details: string },
  socketPath: string,
): CriError | StoreUnavailableError {
  if (error.code === status.UNIMPLEMENTED) {
    return new StoreUnavailableError(
      `containerd at ${socketPath} has no CRI v1: its CRI plugin is switched off or has not loaded, or it is older than 1.6`,
      { cause: error },
    );
  }
  // What containerd's CRI says in the seconds after a start.
  if (error.details.includes('not initialized yet')) {
    return new StoreUnavailableError(`The CRI of containerd at ${socketPath} is still starting`, {
      cause: error,
    });
  }
  return new CriError(error.details, { cause: error });
}
