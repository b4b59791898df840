/** The command line is wrong: nothing was started, exit 2. The message says what to write instead. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  readonly code = 'USAGE';
}
