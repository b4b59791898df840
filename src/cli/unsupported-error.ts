/** A flag asks for something that this version does not have. Better than to ignore it: the operator relies on it. */
export class UnsupportedError extends Error {
  override readonly name = 'UnsupportedError';
  readonly code = 'UNSUPPORTED';
}
