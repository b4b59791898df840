const KIB = 1024;

/** Sizes of buffers, in bytes of payload, by how many bodies run. */
type Sizes = readonly { readonly bodies: number; readonly bytes: number }[];

/**
 * Kernel buffers for what a client has not taken yet, per connection with a body; the kernel counts twice as much. Up to
 * `bodies` at once get `bytes`, the next ones less, so that 400 clients that do not read hold 14 MiB together. 128 KiB are
 * 128 MB/s at 1 ms round trip, and 256 KiB are no faster to a client on the same machine.
 */
const CLIENT_SEND_BUFFERS: Sizes = [
  { bodies: 16, bytes: 128 * KIB },
  { bodies: 96, bytes: 32 * KIB },
  { bodies: Number.POSITIVE_INFINITY, bytes: 8 * KIB },
];
/**
 * The same while the kernel moves the body: a larger buffer is no faster, but wakes the sender less often. With 1 MiB a GB
 * costs it a third of the CPU. Not for bodies that have followers: these would miss what is in such a buffer.
 */
const KERNEL_SEND_BUFFERS: Sizes = [
  { bodies: 2, bytes: 1024 * KIB },
  { bodies: 8, bytes: 256 * KIB },
  ...CLIENT_SEND_BUFFERS,
];

/** How large the kernel's send buffers may be, by how many bodies run. */
export interface SendBuffers {
  /** A body begins: the size of its buffer, in bytes of payload. */
  begin(): number;
  /** The size of the buffer of a body that the kernel moves from now on, in bytes of payload. */
  forKernel(): number;
  /** A body has ended. */
  end(): void;
}

/**
 * Counts the bodies of a listener: the more there are, the smaller are the buffers of the next. Of the larger buffers while the
 * kernel moves there are as many as a part of the usual memory has room for.
 */
export function createSendBuffers(kernelShare = 1): SendBuffers {
  let running = 0;
  const within = (sizes: Sizes, count = running) => sizes.find(({ bodies }) => count <= bodies)?.bytes ?? 0;
  return {
    begin() {
      running += 1;
      return within(CLIENT_SEND_BUFFERS);
    },
    forKernel: () => within(KERNEL_SEND_BUFFERS, running / kernelShare),
    end() {
      running -= 1;
    },
  };
}
