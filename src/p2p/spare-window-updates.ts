import type { Stream } from '@libp2p/interface';

/** What @chainsafe/libp2p-yamux 8 keeps of a stream; its types hide it. */
interface YamuxWindow {
  /** Bytes that the other side may still send. */
  recvWindowCapacity: number;
  /** Bytes that it may send in all before it has to wait. */
  recvWindow: number;
  sendWindowUpdate(): void;
}

/**
 * Gives the other side of a stream more room only when half of it is used up, as Go's yamux does. The package answers
 * each frame of data with a frame of its own, however small it was: for the questions and answers of the DHT, of a
 * hundred bytes each, that doubled the frames, each of which is encrypted and written by itself.
 */
export function spareWindowUpdates(stream: Stream): void {
  const yamux = stream as unknown as Partial<YamuxWindow>;
  const { sendWindowUpdate } = yamux;
  // Another muxer, as in tests: nothing to spare.
  if (sendWindowUpdate === undefined) return;
  yamux.sendWindowUpdate = () => {
    const { recvWindowCapacity = 0, recvWindow = 0 } = yamux;
    if (recvWindowCapacity <= recvWindow / 2) sendWindowUpdate.call(yamux);
  };
}
