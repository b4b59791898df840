import { inspect } from 'node:util';

/** Longest text: what others send may be part of it. */
const MAX_TEXT_LENGTH = 1000;
/** Bytes of one value that are shown: an ID has 38. */
const MAX_BYTES_SHOWN = 64;
/** Values of one line: what libp2p logs has at most six. */
const MAX_VALUES = 16;

/**
 * Writes one log call of libp2p as text, whatever it is given: `%s`, `%d`, `%o` and the like, and libp2p's own `%p` peer,
 * `%a` address, `%c` CID, `%k` key, `%e` error, `%b`, `%t`, `%m` bytes (shown in hex). Values without a place follow.
 */
export function formatLogText(format: unknown, values: readonly unknown[]): string {
  const rest = values.slice(0, MAX_VALUES);
  const parts: string[] = [];
  if (typeof format === 'string') {
    parts.push(
      format.slice(0, MAX_TEXT_LENGTH).replaceAll(/%([a-zA-Z%])/g, (place, letter: string) => {
        if (letter === '%') return '%';
        return rest.length === 0 ? place : textOf(rest.shift());
      }),
    );
  } else parts.push(textOf(format));
  parts.push(...rest.map(textOf));
  return parts.join(' ').slice(0, MAX_TEXT_LENGTH);
}

/** Never throws: a log line must not bring down what it tells of. */
function textOf(value: unknown): string {
  try {
    if (typeof value === 'string') return value;
    if (value instanceof Uint8Array) return value.subarray(0, MAX_BYTES_SHOWN).toHex();
    if (value instanceof Error) return errorText(value);
    if (Array.isArray(value)) return value.slice(0, MAX_VALUES).map(textOf).join(', ');
    if (writesItself(value)) return value.toString();
    return inspect(value, { depth: 0, breakLength: Infinity, maxArrayLength: 8, maxStringLength: 200 });
  } catch {
    return '(unprintable)';
  }
}

/** True for peer IDs, addresses, CIDs and the like. */
function writesItself(value: unknown): value is { toString(): string } {
  return (
    typeof value === 'object' &&
    value !== null &&
    Reflect.get(value, 'toString') !== Reflect.get(Object.prototype, 'toString')
  );
}

function errorText(error: Error): string {
  const causes: readonly unknown[] = error instanceof AggregateError ? error.errors.slice(0, MAX_VALUES) : [];
  const cause = error.cause instanceof Error ? [error.cause] : [];
  const inner = [...causes, ...cause].map((each) => (each instanceof Error ? each.message : textOf(each)));
  const text = `${error.name}: ${error.message}`;
  return inner.length === 0 ? text : `${text} (${inner.join('; ')})`;
}
