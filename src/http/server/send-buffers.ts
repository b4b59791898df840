import { CLIENT_SEND_BUFFERS } from '../limits.ts';

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
