import { MAX_TARGET_BYTES } from './limits.ts';

/**
 * What stands before the target of every request: the handler's URLs are absolute, and a client's Host header
 * must not decide how its path is parsed. A name that never resolves (RFC 6761).
 */
const ORIGIN = 'http://node.invalid';

/** What a request target comes to: the absolute URL for the handler, or the status that refuses it. */
export type RequestUrl = { readonly url: string } | { readonly status: 400 | 414; readonly message: string };

/**
 * Takes a request target in origin form (RFC 9112, 3.2.1), path and query exactly as sent. A target that URL
 * parsing would change (`..`, `%2e%2e`, a backslash, a raw space or quote) is refused: routes and checks
 * must never see another path than the one that was asked for.
 */
export function requestUrl(target: string): RequestUrl {
  if (target.length > MAX_TARGET_BYTES) {
    return { status: 414, message: `The request target is longer than ${MAX_TARGET_BYTES} bytes` };
  }
  const url = `${ORIGIN}${target}`;
  if (!target.startsWith('/') || target.includes('#') || URL.parse(url)?.href !== url) {
    return { status: 400, message: 'The request target is not a path in normal form' };
  }
  return { url };
}
