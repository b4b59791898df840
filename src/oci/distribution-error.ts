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

/** An error with its HTTP status, answered as the distribution spec's JSON. */
export class DistributionError extends Error {
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
export function formatDistributionError(error: DistributionError): string {
  return JSON.stringify({
    errors: [{ code: error.code, message: error.message, detail: error.detail ?? {} }],
  });
}
