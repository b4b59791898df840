const KIB = 1024;
/** Longest request target, in bytes: 255 of repository, 128 of tag or 135 of digest, a registry's name, and room. */
export const MAX_TARGET_BYTES = 2 * KIB;

/**
 * What stands before the target of every request: the handler's URLs are absolute, and a client's Host header
 * must not decide how its path is parsed. A name that never resolves (RFC 6761).
 */
const ORIGIN = 'http://node.invalid';
/** An absolute URL (RFC 3986, 3): its scheme, its authority, and its path with its query. */
const ABSOLUTE = /^([a-z][a-z0-9+.-]*):\/\/([^/?#]*)(.*)$/i;
/** What stands in a path as it is (RFC 3986, 3.3, and the slash), so that its encoded form says the same. */
const PATH_CHARACTER = /[\w\-.~!$&'()*+,;=:@/]/;

/** A target that parsing leaves as it is, if no part of its path starts with a dot: what containerd and other nodes ask for. */
const PLAIN = /^(?:\/[\w:~-][\w.:~-]*)+\/?(?:\?[\w.:~=&%-]*)?$/;

/** What a request target comes to: the absolute URL for the handler, or the status that refuses it. */
export type RequestUrl = { readonly url: string } | { readonly status: 400 | 414; readonly message: string };

/** What else of a request decides how its target is read. */
export interface RequestUrlOptions {
  /** How the client reached the listener. */
  readonly scheme: 'http' | 'https';
}

/**
 * Takes a request target in origin form or in absolute form (RFC 9112, 3.2.1 and 3.2.2). The path is given in one
 * spelling: what needs no percent-encoding is decoded, once (`%3A`, `%2F`, `%41`), the query is as sent.
 * Routes and checks must never see another path than the path that was asked for. So these are refused: what URL parsing would
 * change (`..`, `%2e%2e`, a backslash, a raw space or quote), an encoded percent sign, backslash or control character,
 * and an absolute URL of another scheme, with a user, or without a host. The Host header does not count.
 */
export function requestUrl(target: string, { scheme }: RequestUrlOptions): RequestUrl {
  if (target.length > MAX_TARGET_BYTES) {
    return { status: 414, message: `The request target is longer than ${MAX_TARGET_BYTES} bytes` };
  }
  if (PLAIN.test(target)) return { url: `${ORIGIN}${target}` };
  let rest = target;
  const [, ownScheme, authority, ownRest] = ABSOLUTE.exec(target) ?? [];
  if (ownScheme !== undefined && authority !== undefined && ownRest !== undefined) {
    if (ownScheme.toLowerCase() !== scheme) return refuse(`The request target is not a URL of ${scheme}`);
    if (authority.includes('@')) return refuse('The request target names a user');
    // A backslash would end the host as a slash does.
    if (authority === '' || URL.parse(`${scheme}://${authority}/`)?.pathname !== '/') {
      return refuse('The request target has no valid host');
    }
    rest = ownRest.startsWith('/') ? ownRest : `/${ownRest}`;
  }
  const query = rest.indexOf('?');
  const path = decodePath(query === -1 ? rest : rest.slice(0, query));
  if (path === undefined) return refuse('The request target has a percent-encoding that no path needs');
  const url = `${ORIGIN}${path}${query === -1 ? '' : rest.slice(query)}`;
  if (!path.startsWith('/') || rest.includes('#') || URL.parse(url)?.href !== url) {
    return refuse('The request target is not a path in normal form');
  }
  return { url };
}

function refuse(message: string): RequestUrl {
  return { status: 400, message };
}

/** The path with each encoded character that needs no encoding as it is; undefined for an encoding that is malformed or that hides something. */
function decodePath(path: string): string | undefined {
  let isUsable = true;
  const decoded = path.replaceAll(/%(..?)?/gs, (encoding, digits: string | undefined) => {
    const code = digits !== undefined && /^[\da-f]{2}$/i.test(digits) ? Number.parseInt(digits, 16) : 0;
    const character = String.fromCharCode(code);
    if (code < 0x20 || code === 0x7f || character === '%' || character === '\\') isUsable = false;
    return PATH_CHARACTER.test(character) ? character : encoding;
  });
  return isUsable ? decoded : undefined;
}
