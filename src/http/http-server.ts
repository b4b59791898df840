import type { ClientResponse } from './transport.ts';

/** What a handler reads of a request. A Request is such an object, and toRequest() makes a Request of it. */
export interface ClientRequest {
  /** As sent. */
  readonly method: string;
  /**
   * Has the path in one spelling (see requestUrl()) and the query as sent, behind an origin that means nothing (the client's is
   * in the Host header).
   */
  readonly url: string;
  /** As in a Request: a value is found by its name in any case, and several values of a name are joined by ", ". */
  readonly headers: Pick<Headers, 'get' | 'has'> & Iterable<readonly [name: string, value: string]>;
  /** The body, whole, where the listener reads any (`maxBodyBytes`); undefined or null: there is none. */
  readonly body?: Uint8Array | Request['body'] | undefined;
}

/** A small answer that needs no Response: it is written as it is. */
export interface PlainAnswer {
  readonly status: number;
  /** By lower-case name. A Content-Length counts in the answer to a HEAD; else it is the body's. */
  readonly headers: Readonly<Record<string, string>>;
  /** Must not change any more. Undefined: there is none. */
  readonly body: Uint8Array | undefined;
}

/** An answer without a length: it goes on until there is no more, and the connection ends with it. */
export interface StreamedAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /**
   * The next bytes, which must not change any more; undefined: that was all. Asked for when the client has taken the bytes before.
   * Must resolve when the signal aborts: the client is gone, or the listener closes.
   */
  readonly next: (signal: AbortSignal) => Promise<Uint8Array | undefined>;
}

/**
 * Answers one request. Small answers are what it returns, as a Response or plain; what goes on for long is returned as a stream. A handler that began the client's response
 * itself moves the body before it resolves; what it returns is then ignored.
 * HEAD: the answer's headers are sent as they are (Content-Length included) and its body is not. Without a body and a
 * Content-Length the answer has no length (RFC 9110, 8.6).
 * That the client is gone is told by `client.gone`.
 * A handler that began a response and resolves before it is complete has broken it off.
 */
export type RequestHandler = (
  request: ClientRequest,
  client: ClientResponse,
) => Promise<HandlerAnswer> | HandlerAnswer;

/** What a handler returns. */
export type HandlerAnswer = Response | PlainAnswer | StreamedAnswer;

/** Limits of a listener. */
export interface HttpServerOptions {
  /** `:5000`, `1.2.3.4:5000`, `[::1]:5000`; `:port` listens on IPv4 and IPv6; port 0 takes a free one. */
  readonly address: string;
  readonly handler: RequestHandler;
  /** Called for an error that the handler threw (the client gets a 500) and for errors of the listener. */
  readonly onError: (error: unknown) => void;
  /** Most connections at once. Default what the descriptors of the process leave room for. */
  readonly maxConnections?: number | undefined;
  /**
   * Bodies of requests up to this size are read, and given to the handler; a larger one is answered with 413. Default: bodies are
   * dropped, and the connection ends with the answer.
   */
  readonly maxBodyBytes?: number | undefined;
  /** A client that takes no byte of an answer for this long is gone. Default 5 minutes. */
  readonly clientStallTimeoutMs?: number | undefined;
  /** Serves over TLS, and only clients that show a certificate of the same authority. Default plain HTTP. */
  readonly tls?: ServerTls | undefined;
}

/** Certificates of a listener, PEM. */
export interface ServerTls {
  /** The authority that certificates of clients come from. */
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** A running listener. */
export interface HttpServer extends AsyncDisposable {
  readonly port: number;
  /** Takes other certificates for the connections to come. Throws if they cannot be used, or if this is no listener with TLS. */
  replaceTls(tls: ServerTls): void;
  /** Stops accepting, lets running responses finish for at most graceMs, then closes what is left. */
  close(graceMs: number): Promise<void>;
}
