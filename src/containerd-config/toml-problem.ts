import type { TomlError } from 'smol-toml';

/**
 * Where a TOML file cannot be read, and why. Nothing of the file itself: the parser's own message quotes the lines around,
 * and one of them may have a password. So it must not be the cause of another error either, which the log writes.
 */
export function describeTomlError({ line, column, message }: TomlError): string {
  const [reason = ''] = message.replace(/^Invalid TOML document: /, '').split('\n', 1);
  return `line ${line}, column ${column}: ${reason}`;
}
