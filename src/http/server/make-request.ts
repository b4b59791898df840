import type { RequestHead } from './request-head.ts';

/** A method that the platform forbids (TRACE), or a header that it does not take. */
export class UnusableRequestError extends Error {
  override readonly name = 'UnusableRequestError';
  readonly code = 'UNUSABLE_REQUEST';
}

/** The request of a head as a handler gets it, without a body. Throws UnusableRequestError. */
export function makeRequest(
  url: string,
  { method, headers }: Pick<RequestHead, 'method' | 'headers'>,
): Request {
  try {
    const all = new Headers();
    for (const [name, value] of headers) all.append(name, value);
    return new Request(url, { method, headers: all });
  } catch (cause) {
    throw new UnusableRequestError('Unusable method or header', { cause });
  }
}
