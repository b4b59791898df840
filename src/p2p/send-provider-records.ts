import type { Libp2p, PeerId, Stream } from '@libp2p/interface';

import { encodeAddProvider, encodePing } from './add-provider-message.ts';
import { KAD_PROTOCOL, SEND_TIMEOUT_MS } from './limits.ts';

/** What is sent to whom. */
export interface ProviderRecords {
  readonly to: PeerId;
  /** This node, as encodeProvider writes it. */
  readonly provider: Uint8Array;
  readonly multihashes: readonly Uint8Array[];
}

/**
 * Gives a peer the records over one stream and resolves once it has taken all of them.
 * Rejects when the peer cannot be reached or does not answer within 5 s.
 */
export async function sendProviderRecords(
  libp2p: Pick<Libp2p, 'dialProtocol'>,
  { to, provider, multihashes }: ProviderRecords,
  signal: AbortSignal,
): Promise<void> {
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(SEND_TIMEOUT_MS)]);
  const stream = await libp2p.dialProtocol(to, KAD_PROTOCOL, { signal: deadline });
  try {
    const answered = firstBytes(stream, deadline);
    for (const multihash of multihashes) {
      if (!stream.send(encodeAddProvider(multihash, provider))) await stream.onDrain({ signal: deadline });
    }
    stream.send(encodePing());
    await answered;
    await stream.close({ signal: deadline });
  } catch (error) {
    stream.abort(error instanceof Error ? error : new Error(String(error)));
    throw error;
  }
}

/** Resolves when the peer answers anything: only the PING at the end is answered. */
function firstBytes(stream: Stream, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  // A failure while sending is thrown there; nobody waits for this one then.
  promise.catch(() => {});
  const onClose = () => reject(new Error('The peer closed the stream before it took the records'));
  const onAbort = () => reject(signal.reason as Error);
  stream.addEventListener('message', () => resolve(), { once: true });
  stream.addEventListener('close', onClose, { once: true });
  signal.addEventListener('abort', onAbort, { once: true });
  const forget = () => {
    stream.removeEventListener('close', onClose);
    signal.removeEventListener('abort', onAbort);
  };
  promise.then(forget, forget);
  return promise;
}
