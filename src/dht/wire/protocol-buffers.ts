/** Wire types of protocol buffers (their encoding guide). */
const VARINT = 0;
const FIXED64 = 1;
const LENGTH_DELIMITED = 2;
const FIXED32 = 5;
/** A varint has 64 bits at most, 7 in a byte. */
const MAX_VARINT_BYTES = 10;

/** One field of a message: a number, or bytes that are a view into the message. Fields of fixed width are left out. */
export type Field =
  | { readonly number: number; readonly value: number; readonly bytes?: undefined }
  | { readonly number: number; readonly bytes: Uint8Array; readonly value?: undefined };

/** Bytes that are not a message of this protocol. */
export class MessageError extends Error {
  override readonly name = 'MessageError';
  readonly code = 'DHT_MESSAGE';
}

/** A field with bytes: a string, or a message within the message. */
export function bytesField(number: number, bytes: Uint8Array): Uint8Array {
  return concat([encodeVarint((number << 3) | LENGTH_DELIMITED), encodeVarint(bytes.length), bytes]);
}

/** A field with a number that is not negative. */
export function numberField(number: number, value: number): Uint8Array {
  return concat([encodeVarint((number << 3) | VARINT), encodeVarint(value)]);
}

/** The fields as one message with its length in front, ready for the stream. */
export function frame(fields: readonly Uint8Array[]): Uint8Array {
  const body = concat(fields);
  return concat([encodeVarint(body.length), body]);
}

/** Puts bytes one after the other. */
export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return bytes;
}

/** Reads the fields of a message one by one. Throws MessageError where the bytes make no sense. */
export function* readFields(message: Uint8Array): Generator<Field, void, undefined> {
  let at = 0;
  const number = () => {
    const varint = readVarint(message, at);
    if (varint === undefined) throw new MessageError('Cannot read a message: it is cut off');
    at = varint.end;
    return varint.value;
  };
  const skip = (length: number) => {
    if (length > message.length - at) throw new MessageError('Cannot read a message: it is cut off');
    at += length;
    return at - length;
  };
  while (at < message.length) {
    const tag = number();
    // Tags have 32 bits: larger ones are refused before the shift cuts them off.
    if (tag > 0xffff_ffff || tag >>> 3 === 0) throw new MessageError('Cannot read a message: no such field');
    const field = tag >>> 3;
    const type = tag & 7;
    if (type === VARINT) yield { number: field, value: number() };
    else if (type === LENGTH_DELIMITED) {
      const length = number();
      const start = skip(length);
      yield { number: field, bytes: message.subarray(start, at) };
    } else if (type === FIXED32) skip(4);
    else if (type === FIXED64) skip(8);
    else throw new MessageError(`Cannot read a message: wire type ${type}`);
  }
}

/**
 * Reads the varint at the offset; undefined when the bytes end before it does. Throws MessageError when it has more
 * than 64 bits. Values beyond 2^53 lose precision; nothing here has any.
 */
export function readVarint(
  bytes: Uint8Array,
  offset: number,
): { readonly value: number; readonly end: number } | undefined {
  let value = 0;
  let scale = 1;
  for (let index = 0; index < MAX_VARINT_BYTES; index++) {
    const byte = bytes[offset + index];
    if (byte === undefined) return undefined;
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) return { value, end: offset + index + 1 };
    scale *= 128;
  }
  throw new MessageError('Cannot read a message: a number is too long');
}

function encodeVarint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  bytes.push(rest);
  return Uint8Array.from(bytes);
}
