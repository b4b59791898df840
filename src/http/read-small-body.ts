import { type BodySource, PeerRequestError, type PeerAnswer, type PeerRequest } from './transport.ts';
import { asBufferedSource } from './buffered-source.ts';

/**
 * Reads an answer's body into memory. Rejects with PeerRequestError as readWholeBody() does, and with INVALID_RESPONSE
 * for a 2xx whose body cannot be read. The unreadable body of another status is empty: the status is what counts there.
 */
export async function readSmallBody(
  { method }: PeerRequest,
  { status, body }: PeerAnswer,
  maxBytes: number,
  signal: AbortSignal,
): Promise<Uint8Array> {
  if (body !== undefined) return readWholeBody(body, { maxBytes, signal });
  if (method === 'HEAD' || status === 204 || status >= 300) return new Uint8Array();
  throw new PeerRequestError('INVALID_RESPONSE', 'The peer sent a body without a usable Content-Length');
}

/**
 * Reads all of a body into memory and closes it. Rejects with PeerRequestError: TOO_LARGE above maxBytes, CANCELLED when
 * the signal aborts while more is waited for, CONNECTION_LOST if it breaks. The signal is only read where something has to be
 * waited for.
 */
export function readWholeBody(
  body: BodySource,
  limits: { readonly maxBytes: number; readonly signal: AbortSignal },
): Promise<Uint8Array> {
  const { maxBytes } = limits;
  const source = asBufferedSource(body);
  return new Promise((resolve, reject) => {
    // At most maxBytes, which is checked below before anything is read.
    const bytes = new Uint8Array(Math.min(source.sizeBytes, maxBytes));
    let receivedBytes = 0;
    /** Once something is waited for. */
    let signal: AbortSignal | undefined;
    let isOver = false;
    const finish = (act: () => void) => {
      isOver = true;
      signal?.removeEventListener('abort', onAbort);
      source.close();
      act();
    };
    const fail = (error: PeerRequestError) => finish(() => reject(error));
    const onAbort = () =>
      fail(new PeerRequestError('CANCELLED', 'Reading the answer was cancelled', { cause: signal?.reason }));
    const next = () => {
      if (receivedBytes === source.sizeBytes) {
        finish(() => resolve(bytes));
        return;
      }
      source.read((read) => {
        if (!('chunk' in read)) {
          fail(
            new PeerRequestError('CONNECTION_LOST', `The peer's answer ${read.reason}`, {
              cause: read.cause,
            }),
          );
          return;
        }
        // Copied: a chunk is only good until the next read.
        bytes.set(read.chunk, receivedBytes);
        receivedBytes += read.chunk.length;
        next();
      });
      if (isOver || signal !== undefined) return;
      ({ signal } = limits);
      if (signal.aborted) onAbort();
      else signal.addEventListener('abort', onAbort, { once: true });
    };
    if (source.sizeBytes > maxBytes) {
      fail(
        new PeerRequestError(
          'TOO_LARGE',
          `The peer's answer has ${source.sizeBytes} bytes, more than ${maxBytes}`,
        ),
      );
    } else next();
  });
}
