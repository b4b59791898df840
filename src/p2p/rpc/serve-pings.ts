import type { StreamHandler } from '@libp2p/interface';

/** Most bytes that are read on one stream: some hundred probes. */
const MAX_BYTES = 4096;

/** Sends back what a peer sends to find out how long that takes (libp2p specs, ping). A stream that carries more than probes is reset. */
export const servePings: StreamHandler = (stream) => {
  let bytes = 0;
  stream.addEventListener('message', ({ data }) => {
    bytes += data.byteLength;
    try {
      if (bytes > MAX_BYTES) throw new Error('These are no probes');
      stream.send(data);
    } catch (error) {
      stream.abort(error as Error);
    }
  });
  stream.addEventListener('remoteCloseWrite', () => void stream.close().catch(() => {}), { once: true });
};
