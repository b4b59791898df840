import type { PeerConnection } from './peer-connection.ts';
import { registerBufferedSource, type BufferedSource, type SourceRead } from './buffered-source.ts';

const SECOND_MS = 1000;
const KIB = 1024;
/** An answer that nobody wants is read to its end, to keep its connection, if it has at most so many bytes left: an error's JSON. */
const DISCARD_BYTES = 16 * KIB;
/** How long that may take. */
const DISCARD_TIMEOUT_MS = 1 * SECOND_MS;

/** The body of an answer whose head has been read. */
export interface PeerBody {
  /** Paused or not; it is this source's from now on. */
  readonly connection: PeerConnection;
  readonly sizeBytes: number;
  /** Body bytes that came with the head. */
  readonly first: Uint8Array;
  /** Takes the connection once the whole body has come and nothing more. */
  readonly onReusable: (connection: PeerConnection) => void;
  /** This body's share of the memory for receiving, in bytes, when so many bytes have come: it never gets smaller. */
  readonly receiveBytes: (receivedBytes: number) => number;
  /** Called once, when the source is closed. */
  readonly onClosed: () => void;
  /** What comes is lent to the kernel when so many bytes have come. */
  readonly lendsFromBytes: number;
}

/** Takes what the peer sends, up to the promised size, and holds the peer back while nobody reads. */
export function createPeerSource({
  connection,
  sizeBytes,
  first,
  onReusable,
  receiveBytes,
  onClosed,
  lendsFromBytes,
}: PeerBody): BufferedSource {
  const queue: Uint8Array[] = [];
  let reader: ((read: SourceRead) => void) | undefined;
  /** Given to the reader, who is done with it when it reads again. */
  let lent: Uint8Array | undefined;
  /** A part of what was lent stands in the queue again. */
  let isKept = false;
  let broken: SourceRead | undefined;
  let receivedBytes = 0;
  let discarding: Timer | undefined;
  let closed = false;
  /** The kernel moves what comes. */
  let isLent = false;
  let isOutOfOrder = false;
  /** As large as it was made for the head. */
  let boundBytes = receiveBytes(0);

  const onData = (chunk: Uint8Array) => {
    if (isLent) {
      // A connection that is paused has no data: were it otherwise, what the kernel moves next would not follow this.
      isOutOfOrder = true;
      connection.destroy();
      return;
    }
    const owed = sizeBytes - receivedBytes;
    const wanted = chunk.length > owed ? chunk.subarray(0, owed) : chunk;
    receivedBytes += wanted.length;
    if (receivedBytes === sizeBytes) {
      clearTimeout(discarding);
      // More than was promised: where the next answer would start is anybody's guess.
      if (chunk.length > owed) connection.destroy();
      else onReusable(connection);
    }
    if (closed || wanted.length === 0) return;
    // The kernel's buffer is all the reading ahead there is: one chunk here per slow client is enough.
    if (receivedBytes < sizeBytes) connection.pause();
    if (reader === undefined) {
      queue.push(wanted);
      return;
    }
    const deliver = reader;
    reader = undefined;
    lent = wanted;
    deliver({ chunk: wanted });
  };
  const onClose = (cause: Error | undefined) => {
    clearTimeout(discarding);
    broken = { reason: cause === undefined ? 'ended-early' : 'connection-lost', cause };
    const deliver = reader;
    reader = undefined;
    if (!closed) deliver?.(broken);
  };

  connection.owner = { onData, onClose };
  connection.pause();
  onData(first);

  return registerBufferedSource({
    sizeBytes,
    get arrivedBytes() {
      const queuedBytes = queue.reduce((sum, chunk) => sum + chunk.length, 0);
      const comingBytes = sizeBytes - receivedBytes;
      // Once all of it has come the connection is another answer's.
      const waitingBytes = comingBytes === 0 ? 0 : connection.unreadBytes;
      return waitingBytes === undefined ? undefined : queuedBytes + Math.min(waitingBytes, comingBytes);
    },
    read(onRead) {
      if (lent !== undefined && !isKept) freeChunk(lent);
      isKept = false;
      const chunk = queue.shift();
      lent = chunk;
      if (chunk !== undefined) onRead({ chunk });
      else if (broken !== undefined) onRead(broken);
      else {
        reader = onRead;
        const share = receiveBytes(receivedBytes);
        if (share !== boundBytes) connection.boundReceiveBuffer(share);
        boundBytes = share;
        connection.resume();
      }
    },
    unread(bytes) {
      if (lent === undefined) return;
      // A view of the same memory, which is freed when its last part was used.
      queue.unshift(lent.subarray(lent.length - bytes));
      isKept = true;
    },
    lend() {
      const isInMemory = queue.length > 0 || reader !== undefined;
      const { descriptor } = connection;
      if (closed || isInMemory || broken !== undefined || descriptor === undefined) return undefined;
      if (receivedBytes < lendsFromBytes) return undefined;
      if (lent !== undefined) freeChunk(lent);
      lent = undefined;
      const share = receiveBytes(receivedBytes);
      if (share !== boundBytes) connection.boundReceiveBuffer(share);
      boundBytes = share;
      isLent = true;
      return {
        kind: 'socket',
        descriptor,
        offset: 0,
        sizeBytes: sizeBytes - receivedBytes,
        writtenBytes: Number.POSITIVE_INFINITY,
        isOver: true,
        giveBack(movedBytes, isInStep) {
          isLent = false;
          receivedBytes += movedBytes;
          if (isOutOfOrder || !isInStep) {
            connection.destroy();
            broken ??= { reason: 'connection-lost', cause: new Error('Bytes of the answer were lost') };
          } else if (receivedBytes === sizeBytes) onReusable(connection);
        },
      };
    },
    close() {
      if (closed) return;
      closed = true;
      onClosed();
      for (const chunk of lent === undefined ? queue : [lent, ...queue]) freeChunk(chunk);
      lent = undefined;
      queue.length = 0;
      reader = undefined;
      if (receivedBytes === sizeBytes) return;
      if (sizeBytes - receivedBytes > DISCARD_BYTES) {
        connection.destroy();
        return;
      }
      discarding = setTimeout(() => connection.destroy(), DISCARD_TIMEOUT_MS);
      connection.resume();
    },
  });
}

/**
 * Frees a chunk's memory now, by detaching it. Left to the garbage collector, the chunks of fast bodies add up to
 * 100 MiB and more before they go. Only a chunk that is the end of a buffer that it does not share: what came with a
 * head does.
 */
function freeChunk({ buffer, byteOffset, byteLength }: Uint8Array): void {
  const isEnd = byteLength > 0 && buffer.byteLength === byteOffset + byteLength;
  if (isEnd && buffer instanceof ArrayBuffer) buffer.transfer(0);
}
