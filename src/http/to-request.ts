import type { ClientRequest } from './http-server.ts';

/** A method that the platform forbids (TRACE), or a header that it does not take. */
export class UnusableRequestError extends Error {
  override readonly name = 'UnusableRequestError';
  readonly code = 'UNUSABLE_REQUEST';
}

/**
 * The request as the platform's Request, for routers that take nothing else. Throws UnusableRequestError, which a handler lets
 * through: the client then gets a 400.
 */
export function toRequest(request: ClientRequest): Request {
  if (request instanceof Request) return request;
  const { method, url, headers, body } = request;
  try {
    const all = new Headers();
    for (const [name, value] of headers) all.append(name, value);
    const hasBody = body !== undefined && body !== null && method !== 'GET' && method !== 'HEAD';
    return new Request(url, { method, headers: all, ...(hasBody ? { body } : {}) });
  } catch (cause) {
    throw new UnusableRequestError('Unusable method or header', { cause });
  }
}
