import { STATUS_CODES } from 'node:http';

const SECOND_MS = 1000;
let dateText = '';
let dateSecond = -1;

/** The Date header's value, made once a second. */
function httpDate(): string {
  const second = Math.floor(Date.now() / SECOND_MS);
  if (second !== dateSecond) {
    dateSecond = second;
    dateText = new Date(second * SECOND_MS).toUTCString();
  }
  return dateText;
}

/** What a head says of its connection. */
export interface ResponseHeadOptions {
  /** Another request may follow on the connection. */
  readonly keepAlive: boolean;
}

/** A response head as it goes over the wire, with Date and Connection. Throws a TypeError for a header that would not arrive as it is. */
export function formatResponseHead(
  status: number,
  headers: Iterable<readonly [name: string, value: string]>,
  { keepAlive }: ResponseHeadOptions,
): Uint8Array {
  let text = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n`;
  for (const [name, value] of headers) {
    if (!/^[\t\x20-\x7e\x80-\xff]*$/.test(value)) {
      throw new TypeError(`Cannot send header ${name}: ${JSON.stringify(value.slice(0, 200))}`);
    }
    text += `${name}: ${value}\r\n`;
  }
  text += `Date: ${httpDate()}\r\nConnection: ${keepAlive ? 'keep-alive' : 'close'}\r\n\r\n`;
  return Buffer.from(text, 'latin1');
}
