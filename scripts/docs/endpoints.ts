/** One path that a listener of spegel answers. */
export interface Endpoint {
  readonly path: string;
  readonly what: string;
}

/** A listener, and the files whose routes it serves. */
export interface Listener {
  /** The flag that says where it listens, as Markdown. */
  readonly flag: string;
  readonly what: string;
  readonly endpoints: readonly Endpoint[];
  /** Source files with their prefix; what they route to is compared with `endpoints` in a test. */
  readonly sources: ReadonlyArray<{ readonly file: string; readonly prefix: string }>;
}

/** Every listener that speaks HTTP. */
export const LISTENERS: readonly Listener[] = [
  {
    flag: '`--registry-addr`',
    what: 'The mirror: containerd on this node and the other nodes. GET and HEAD only, with basic auth below /v2 if it is set.',
    sources: [{ file: 'src/registry/registry-app.ts', prefix: '' }],
    endpoints: [
      { path: '/v2/', what: '200: this is a registry; also as `/v2`' },
      {
        path: '/v2/*',
        what: '`/v2/<repository>/manifests/<tag or digest>?ns=<registry>` and `/v2/<repository>/blobs/<digest>?ns=<registry>`: from this node or another one; one range per request; 404 if nobody has it',
      },
      {
        path: '/readyz',
        what: '200 once the router is ready, 500 before; the text says whether containerd asks this mirror (`--canary-enabled`)',
      },
      { path: '/livez', what: '200 as long as the process answers' },
    ],
  },
  {
    flag: '`--metrics-addr`',
    what: 'Numbers and what `spegel peers` asks for. No auth.',
    sources: [
      { file: 'src/web/metrics-app.ts', prefix: '' },
      { file: 'src/web/debug-routes.ts', prefix: '/debug' },
    ],
    endpoints: [
      { path: '/metrics', what: 'the metrics below, in the text format of Prometheus' },
      { path: '/debug/peers', what: 'JSON: this node and the nodes it knows, as `spegel peers --json`' },
      {
        path: '/debug/peers/find',
        what: 'JSON: who has `?key=<digest or registry/repository:tag>`, looked up for `&timeout=<ms>` (1000, at most 10000); four at once',
      },
      {
        path: '/debug/canary',
        what: 'JSON: whether containerd asked this mirror when it was last told to pull the canary image; POST has it do so now, as `spegel doctor --canary`, at most every 3 seconds (429 with Retry-After), and not for pages of another origin (`--canary-enabled`)',
      },
      {
        path: '/debug/web/',
        what: 'a page with the peers, the images and the last transfers (`--debug-web-enabled`); also as `/debug/web`',
      },
      {
        path: '/debug/images',
        what: 'JSON: what this node announces, at most 1000 tags; with `?search=<part of a name or digest>&offset=<number>&limit=<at most 200>` the tags that match, with their count (`--debug-web-enabled`)',
      },
      {
        path: '/debug/images/holders',
        what: 'JSON, by POST of `{"keys": [<at most 50 digests or registry/repository:tag>]}`: how many other nodes have each, and whether this node has it; one question at a time (429 with Retry-After), not for pages of another origin (`--debug-web-enabled`)',
      },
      {
        path: '/debug/live',
        what: 'server-sent events: what the page shows, then what has changed, at most once a second; 8 at once (503 with Retry-After), not for pages of another origin (`--debug-web-enabled`)',
      },
      {
        path: '/debug/flights',
        what: "JSON: this node's own downloads in flights, and which node takes what from which, for the digests of the last minute that this node decides about; `?digest=` for one of them (`--flights-enabled`, `--debug-web-enabled`)",
      },
      {
        path: '/debug/pulls',
        what: "JSON: the last 50 pulls of this node's own containerd, newest first: how long each took, how much came from this node, from which peers and how fast, its pieces, and what was missing and why (`--debug-web-enabled`)",
      },
      {
        path: '/debug/why',
        what: 'JSON: why this node serves `?key=<digest or registry/repository:tag>`, or does not, as `spegel why --json`; for a digest `&name=<registry/repository>` may say of which image; by POST as a form or JSON, too, not for pages of another origin; two at once, and each client 10, then one in 3 seconds (429 with Retry-After) (`--debug-web-enabled`)',
      },
      {
        path: '/debug/transfers',
        what: 'JSON: the last 50 manifests and blobs that were asked for, newest first, and where they came from (`--debug-web-enabled`)',
      },
    ],
  },
  {
    flag: '`--http-bootstrap-addr`',
    what: 'How nodes find each other with `--bootstrap-kind http`. With `--http-bootstrap-cert-dir` over TLS, and only for clients with a certificate. 503 while the router starts.',
    sources: [{ file: 'src/web/bootstrap-app.ts', prefix: '/' }],
    endpoints: [
      { path: '/id', what: "JSON: this node's peer ID and addresses, as Spegel (Go) v0.7.4 reads it" },
      { path: '/ids', what: 'JSON: a list of that for this node and up to 19 peers' },
    ],
  },
  {
    flag: '`--addr` of `spegel cleanup`',
    what: 'Says that a node is cleaned up.',
    sources: [{ file: 'src/commands/cleanup.ts', prefix: '' }],
    endpoints: [{ path: '/readyz', what: '200 once the configuration is restored' }],
  },
];
