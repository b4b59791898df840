import type { BodySource } from './transport.ts';
import type { PeerConnection } from './peer-connection.ts';
import type { PeerResponseHead } from './peer-response-head.ts';
import { createPeerSource } from './peer-source.ts';

/** An answer whose head was read. */
export interface AnswerStart {
  readonly head: PeerResponseHead;
  /** What came after the head. */
  readonly first: Uint8Array;
  readonly connection: PeerConnection;
  /** The request was a HEAD. */
  readonly bodyless: boolean;
  /** Takes the connection when it is free for the next request. */
  readonly onReusable: (connection: PeerConnection) => void;
  /** The body's share of the memory for receiving, in bytes, when so many bytes of it have come. */
  readonly receiveBytes: (receivedBytes: number) => number;
  /** Called once, when the body is closed; never if there is none. */
  readonly onClosed: () => void;
  /** The body is lent to the kernel when so many bytes have come. */
  readonly lendsFromBytes: number;
}

/** The answer's body, or undefined if there is none or its end cannot be told (RFC 9112, 6.3); settles what becomes of the connection. */
export function takeBody({
  head,
  first,
  connection,
  bodyless,
  onReusable,
  receiveBytes,
  onClosed,
  lendsFromBytes,
}: AnswerStart): BodySource | undefined {
  const release = (done: PeerConnection) => {
    if (head.keepAlive) onReusable(done);
    else done.destroy();
  };
  if (bodyless || head.status === 204 || head.status === 304) {
    if (first.length > 0) connection.destroy();
    else release(connection);
    return undefined;
  }
  if (head.contentLength === undefined) {
    connection.destroy();
    return undefined;
  }
  return createPeerSource({
    connection,
    sizeBytes: head.contentLength,
    first,
    onReusable: release,
    receiveBytes,
    onClosed,
    lendsFromBytes,
  });
}
