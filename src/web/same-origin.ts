/** The headers by which browsers say which page sends a request. Other clients send none of them but Host. */
export interface RequestOrigin {
  /** Of each POST, and of each request to another origin whose answer the page wants to read (RFC 6454, 7). */
  readonly origin: string | undefined;
  /** Sec-Fetch-Site: of every request, where the connection is encrypted or to the loopback (Fetch Metadata). */
  readonly site: string | undefined;
  readonly host: string | undefined;
}

/** False for a request that a page of another origin sends. */
export function isSameOrigin({ origin, site, host }: RequestOrigin): boolean {
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return false;
  if (origin === undefined) return true;
  return URL.canParse(origin) && new URL(origin).host === host;
}

/** Reads them. */
export function originOf(header: (name: string) => string | null | undefined): RequestOrigin {
  return {
    origin: header('origin') ?? undefined,
    site: header('sec-fetch-site') ?? undefined,
    host: header('host') ?? undefined,
  };
}
