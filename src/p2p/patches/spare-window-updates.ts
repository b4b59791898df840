import { StreamState, YamuxStream } from '@chainsafe/libp2p-yamux/stream';

/** What @chainsafe/libp2p-yamux 8 keeps of a stream; its types hide it. */
interface YamuxWindow {
  readonly state: StreamState;
  /** Bytes that the other side may still send. */
  readonly recvWindowCapacity: number;
  /** Bytes that it may send in all before it has to wait. */
  readonly recvWindow: number;
  sendWindowUpdate: (this: YamuxWindow) => void;
}

let isSpared = false;

/**
 * Gives the other side of a stream more room only when half of it is used up, as Go's yamux does. Holds for all streams
 * of this process, once it was called. The package answers each frame of data with a frame of its own, however small
 * the data was. For handshakes of protocols, and for the DHT's questions and answers of a hundred bytes each, that
 * doubled the frames. Each frame is encrypted and written by itself.
 */
export function spareWindowUpdates(): void {
  if (isSpared) return;
  isSpared = true;
  const streams = YamuxStream.prototype as unknown as YamuxWindow;
  const { sendWindowUpdate } = streams;
  streams.sendWindowUpdate = function (this: YamuxWindow) {
    // Until a stream is established an update also opens or accepts it.
    if (this.state === StreamState.Established && this.recvWindowCapacity > this.recvWindow / 2) return;
    sendWindowUpdate.call(this);
  };
}
