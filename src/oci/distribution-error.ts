/** Error codes of the OCI distribution spec v1.1, "Error Codes". */
export type DistributionErrorCode =
  | 'BLOB_UNKNOWN'
  | 'DIGEST_INVALID'
  | 'MANIFEST_INVALID'
  | 'MANIFEST_UNKNOWN'
  | 'NAME_INVALID'
  | 'NAME_UNKNOWN'
  | 'SIZE_INVALID'
  | 'UNAUTHORIZED'
  | 'DENIED'
  | 'UNSUPPORTED'
  | 'TOOMANYREQUESTS'
  /** Not of the spec: this node cannot tell now (503). */
  | 'UNAVAILABLE';

/**
 * What is said to a client that does not get what it asked for, and with which HTTP status: answered as the distribution spec's
 * JSON. Where that is an answer like any other, as for content that is not here, it is returned, not thrown.
 */
export interface DistributionProblem {
  readonly status: number;
  readonly code: DistributionErrorCode;
  readonly message: string;
  readonly detail?: Readonly<Record<string, unknown>> | undefined;
}

/** A problem that is thrown. */
export class DistributionError extends Error implements DistributionProblem {
  override readonly name = 'DistributionError';
  readonly code: DistributionErrorCode;
  readonly status: number;
  readonly detail: Readonly<Record<string, unknown>> | undefined;

  constructor(
    status: number,
    code: DistributionErrorCode,
    message: string,
    detail?: Readonly<Record<string, unknown>>,
  ) {
    super(message);
    this.status = status;
    this.code = code;
    this.detail = detail;
  }
}

/** The body of the answer: `{"errors":[{"code","message","detail"}]}`. */
export function formatDistributionError({ code, message, detail = {} }: DistributionProblem): string {
  return JSON.stringify({ errors: [{ code, message, detail }] });
}
