import { isLabelValue, MAX_LABEL_VALUE_LENGTH } from '../../runtime/label-value.ts';
import { isNodeName, MAX_NODE_NAME_LENGTH } from '../../runtime/node-name.ts';
import { MAX_SUSPECTS_PER_NOTICE, MAX_WITHDRAWN_PER_NOTICE } from '../limits.ts';
import { bytesField, frame, MessageError, numberField, readFields } from './protocol-buffers.ts';

/**
 * What a node tells others beside the DHT's protocol, which has no message to take a record back (docs/ROUTING.md).
 * Protocol buffers: `repeated bytes withdrawn = 1; bool leaving = 2; repeated bytes suspects = 3; bool parting = 4;
 * string zone = 5; string node_name = 6;`
 */
export interface Notice {
  /** Multihashes of content that the sender does not provide any more. */
  readonly withdrawn: readonly Uint8Array[];
  /** True when the sender is about to stop. */
  readonly leaving: boolean;
  /** IDs of peers that did not answer the sender: a reason to probe them, no more. */
  readonly suspects: readonly Uint8Array[];
  /**
   * True when the sender ends the connection because others need the room: it goes on, and can be dialled when it is
   * needed.
   */
  readonly parting: boolean;
  /** Where the sender is, see isLabelValue(); undefined: nothing is said of it. */
  readonly zone: string | undefined;
  /** What the sender's node is called, see isNodeName(); undefined: nothing is said of it. */
  readonly nodeName: string | undefined;
}

const WITHDRAWN = 1;
const LEAVING = 2;
const SUSPECTS = 3;
const PARTING = 4;
const ZONE = 5;
const NODE_NAME = 6;

/** One notice with its length in front, ready for the stream. */
export function encodeNotice({
  withdrawn = [],
  leaving = false,
  suspects = [],
  parting = false,
  zone,
  nodeName,
}: Partial<Notice>): Uint8Array {
  return frame([
    ...withdrawn.map((multihash) => bytesField(WITHDRAWN, multihash)),
    ...(leaving ? [numberField(LEAVING, 1)] : []),
    ...suspects.map((id) => bytesField(SUSPECTS, id)),
    ...(parting ? [numberField(PARTING, 1)] : []),
    ...(zone === undefined ? [] : [bytesField(ZONE, Buffer.from(zone))]),
    ...(nodeName === undefined ? [] : [bytesField(NODE_NAME, Buffer.from(nodeName))]),
  ]);
}

/** Parses a notice without its length. Throws MessageError for bytes that make no sense, or are too many. */
export function parseNotice(message: Uint8Array): Notice {
  const withdrawn: Uint8Array[] = [];
  const suspects: Uint8Array[] = [];
  let leaving = false;
  let parting = false;
  let zone: string | undefined;
  let nodeName: string | undefined;
  for (const { number, value, bytes } of readFields(message)) {
    if (number === WITHDRAWN && bytes !== undefined) withdrawn.push(bytes);
    else if (number === LEAVING && value !== undefined) leaving = value !== 0;
    else if (number === PARTING && value !== undefined) parting = value !== 0;
    else if (number === SUSPECTS && bytes !== undefined) suspects.push(bytes);
    else if (number === ZONE && bytes !== undefined) zone = parseZone(bytes);
    else if (number === NODE_NAME && bytes !== undefined) nodeName = parseNodeName(bytes);
    if (withdrawn.length > MAX_WITHDRAWN_PER_NOTICE) {
      throw new MessageError('Cannot take a notice: it withdraws too much');
    }
    if (suspects.length > MAX_SUSPECTS_PER_NOTICE) {
      throw new MessageError('Cannot take a notice: it suspects too many');
    }
  }
  return { withdrawn, leaving, suspects, parting, zone, nodeName };
}

function parseZone(bytes: Uint8Array): string {
  const zone = bytes.length <= MAX_LABEL_VALUE_LENGTH ? Buffer.from(bytes).toString('latin1') : '';
  if (!isLabelValue(zone)) throw new MessageError('Cannot take a notice: no zone has such a name');
  return zone;
}

function parseNodeName(bytes: Uint8Array): string {
  const name = bytes.length <= MAX_NODE_NAME_LENGTH ? Buffer.from(bytes).toString('latin1') : '';
  if (!isNodeName(name)) throw new MessageError('Cannot take a notice: no node has such a name');
  return name;
}
