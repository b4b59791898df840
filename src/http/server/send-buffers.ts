const KIB = 1024;
/**
 * Kernel buffers for what a client has not taken yet, per connection with a body, in bytes of payload; the kernel counts
 * twice as much. Up to `bodies` at once get `bytes`, the next ones less, so that 400 clients that do not read hold 20 MiB
 * together. 128 KiB are 128 MB/s at 1 ms round trip, and 256 KiB are no faster to a client on the same machine.
 */
const CLIENT_SEND_BUFFERS: readonly { readonly bodies: number; readonly bytes: number }[] = [
  { bodies: 32, bytes: 128 * KIB },
  { bodies: 96, bytes: 32 * KIB },
  { bodies: Number.POSITIVE_INFINITY, bytes: 8 * KIB },
];

/** How large the kernel's send buffers may be, by how many bodies run. */
export interface SendBuffers {
  /** A body begins: the size of its buffer, in bytes of payload. */
  begin(): number;
  /** A body has ended. */
  end(): void;
}

/** Counts the bodies of a listener: the more there are, the smaller are the buffers of the next. */
export function createSendBuffers(sizes = CLIENT_SEND_BUFFERS): SendBuffers {
  let running = 0;
  return {
    begin() {
      running += 1;
      return sizes.find(({ bodies }) => running <= bodies)?.bytes ?? 0;
    },
    end() {
      running -= 1;
    },
  };
}
