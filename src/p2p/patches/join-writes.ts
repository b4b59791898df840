/** Bytes in parts: what is used here of the package uint8arraylist, which libp2p brings along. */
interface Parts {
  sublist(begin: number, end: number): Parts;
  append(bytes: Uint8Array): void;
  /** All of them in one piece. */
  subarray(): Uint8Array;
}

/** The part of libp2p's connections that hands bytes to the socket; the types hide it. */
interface Sending {
  sendData?(data: Parts): unknown;
}

/**
 * Makes a connection write what belongs together in one go. @libp2p/tcp 11 writes part by part, and Bun sends each
 * write at once: a message of Noise was one packet with the two bytes of its length and another with the rest. At times
 * the other side woke up twice for it. Returns the connection.
 */
export function joinWrites<C extends object>(connection: C): C {
  const sending = connection as Sending;
  const sendData = sending.sendData?.bind(connection);
  if (sendData === undefined) return connection;
  sending.sendData = (data) => {
    const joined = data.sublist(0, 0);
    joined.append(data.subarray());
    return sendData(joined);
  };
  return connection;
}
