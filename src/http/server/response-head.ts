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

const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** The first line of a head, as Latin-1 text like what follows. */
export function formatStatusLine(status: number): string {
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n`;
}

/** A header's line. Throws a TypeError for a header that would not arrive as it is. */
export function formatHeader(name: string, value: string): string {
  if (!VALUE.test(value)) {
    throw new TypeError(`Cannot send header ${name}: ${JSON.stringify(value.slice(0, 200))}`);
  }
  return `${name}: ${value}\r\n`;
}

/** What ends a head: Date, Connection, and the empty line. */
export function formatHeadEnd({ keepAlive }: ResponseHeadOptions): string {
  return `Date: ${httpDate()}\r\nConnection: ${keepAlive ? 'keep-alive' : 'close'}\r\n\r\n`;
}

/** A response head as it goes over the wire. Throws as formatHeader() does. */
export function formatResponseHead(
  status: number,
  headers: Readonly<Record<string, string>>,
  options: ResponseHeadOptions,
): Uint8Array {
  let text = formatStatusLine(status);
  for (const name of Object.keys(headers)) text += formatHeader(name, headers[name] ?? '');
  return Buffer.from(text + formatHeadEnd(options), 'latin1');
}
