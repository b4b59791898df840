/** An answer with its body. */
export interface HttpAnswer {
  readonly status: number;
  readonly text: string;
}

/**
 * Asks `host:port` over plain HTTP. Rejects with an Error whose message says what happened: nobody listens, no answer in
 * time.
 */
export type HttpAsk = (
  endpoint: string,
  request: {
    readonly method: 'GET' | 'HEAD';
    readonly path: string;
    readonly headers?: Readonly<Record<string, string>>;
  },
) => Promise<HttpAnswer>;
