import { MAX_WITHDRAWN_PER_NOTICE } from './limits.ts';
import { bytesField, frame, MessageError, numberField, readFields } from './protocol-buffers.ts';

/**
 * What a node tells others of itself beside the DHT's protocol, which has no message to take a record back
 * (docs/ROUTING.md). Protocol buffers: `repeated bytes withdrawn = 1; bool leaving = 2;`
 */
export interface Notice {
  /** Multihashes of content that the sender does not provide any more. */
  readonly withdrawn: readonly Uint8Array[];
  /** True when the sender is about to stop. */
  readonly leaving: boolean;
}

const WITHDRAWN = 1;
const LEAVING = 2;

/** One notice with its length in front, ready for the stream. */
export function encodeNotice({ withdrawn = [], leaving = false }: Partial<Notice>): Uint8Array {
  return frame([
    ...withdrawn.map((multihash) => bytesField(WITHDRAWN, multihash)),
    ...(leaving ? [numberField(LEAVING, 1)] : []),
  ]);
}

/** Parses a notice without its length. Throws MessageError for bytes that make no sense, or are too many. */
export function parseNotice(message: Uint8Array): Notice {
  const withdrawn: Uint8Array[] = [];
  let leaving = false;
  for (const { number, value, bytes } of readFields(message)) {
    if (number === WITHDRAWN && bytes !== undefined) withdrawn.push(bytes);
    else if (number === LEAVING && value !== undefined) leaving = value !== 0;
    if (withdrawn.length > MAX_WITHDRAWN_PER_NOTICE) {
      throw new MessageError('Cannot take a notice: it withdraws too much');
    }
  }
  return { withdrawn, leaving };
}
