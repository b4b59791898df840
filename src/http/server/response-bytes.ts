import { formatResponseHead, type ResponseHeadOptions } from './response-head.ts';

/** A Response as it goes over the wire. */
export interface ResponseBytes {
  readonly head: Uint8Array;
  /** Empty where none is owed. */
  readonly body: Uint8Array;
}

const EMPTY = new Uint8Array(0);

/** Reads a response whole. `bodyless`: it answers a HEAD. Throws what formatResponseHead throws. */
export async function readResponse(
  response: Response,
  { bodyless, keepAlive }: ResponseHeadOptions & { readonly bodyless: boolean },
): Promise<ResponseBytes> {
  const body = response.body === null ? EMPTY : new Uint8Array(await response.arrayBuffer());
  const { status } = response;
  const hasNoBody = status === 204 || status === 304;
  const headers: [string, string][] = [];
  let lengthGiven: string | undefined;
  response.headers.forEach((value, name) => {
    if (name === 'content-length') lengthGiven = value;
    else if (name !== 'transfer-encoding' && name !== 'connection') headers.push([name, value]);
  });
  // A HEAD's is that of the GET, or none where nothing says what that would be (RFC 9110, 8.6).
  const ownLength = bodyless && response.body === null ? undefined : `${body.length}`;
  const length = bodyless ? (lengthGiven ?? ownLength) : ownLength;
  if (!hasNoBody && length !== undefined) headers.push(['Content-Length', length]);
  return {
    head: formatResponseHead(status, headers, { keepAlive }),
    body: bodyless || hasNoBody ? EMPTY : body,
  };
}
