/** What browsers say of the page that sends a request. */
export interface RequestOrigin {
  /** Of each POST, and of each request to another origin that is to be read (RFC 6454, 7); other clients have none. */
  readonly origin: string | undefined;
  readonly host: string | undefined;
}

/** False for a request that a page of another origin sends. */
export function isSameOrigin({ origin, host }: RequestOrigin): boolean {
  if (origin === undefined) return true;
  return URL.canParse(origin) && new URL(origin).host === host;
}
