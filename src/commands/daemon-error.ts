/** Thrown when the running spegel cannot be asked or answers with an error; the message says what to do. */
export class DaemonError extends Error {
  override readonly name = 'DaemonError';
  readonly code = 'DAEMON';
}
