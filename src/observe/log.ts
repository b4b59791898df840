/** Levels, and what they mean: error = an operator must act; warn = degraded, heals by itself; info = state changes of the process, and one line per pull; debug = one line per request or event. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** Data of a log line. Errors are written as their message, name, code and cause. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Writes log lines. The message is constant, what varies is in the fields. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** True if debug lines are written: whoever makes them at some cost may ask first. */
  readonly writesDebug: boolean;
  /** A logger that adds the fields to every line. */
  with(fields: LogFields): Logger;
}

const ORDER: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };
/** How deep the causes of an error are followed. */
const MAX_CAUSES = 4;

/** Options of createLogger. */
export interface LoggerOptions {
  readonly level: LogLevel;
  /** Takes one line, newline included. */
  readonly write: (line: string) => void;
  /** Injected in tests. */
  readonly now?: () => Date;
}

/** JSON lines as Go's slog writes them: time, level, msg, then the fields. */
export function createLogger({ level, write, now = () => new Date() }: LoggerOptions): Logger {
  const make = (base: LogFields): Logger => {
    const at =
      (lineLevel: LogLevel) =>
      (message: string, fields: LogFields = {}) => {
        if (ORDER[lineLevel] < ORDER[level]) return;
        const line = {
          time: now().toISOString(),
          level: lineLevel.toUpperCase(),
          msg: message,
          ...base,
          ...fields,
        };
        write(`${stringify(line)}\n`);
      };
    return {
      debug: at('debug'),
      info: at('info'),
      warn: at('warn'),
      error: at('error'),
      writesDebug: ORDER[level] <= ORDER.debug,
      with: (fields) => make({ ...base, ...fields }),
    };
  };
  return make({});
}

/** A logger that writes nothing. */
export const silentLogger: Logger = createLogger({ level: 'error', write: () => {} });

function stringify(line: LogFields): string {
  try {
    return JSON.stringify(line, serialise);
  } catch (error) {
    // A log line must not bring down what it tells of.
    const { time, level, msg } = line;
    return JSON.stringify({ time, level, msg, unserialisable: String(error) });
  }
}

function serialise(_key: string, value: unknown): unknown {
  if (value instanceof Error) return describeError(value, 0);
  if (typeof value === 'bigint') return value.toString();
  return value;
}

function describeError(error: Error, depth: number): Record<string, unknown> {
  const code: unknown = 'code' in error ? error.code : undefined;
  return {
    name: error.name,
    message: error.message,
    ...(code === undefined ? {} : { code }),
    ...(error.cause instanceof Error && depth < MAX_CAUSES
      ? { cause: describeError(error.cause, depth + 1) }
      : {}),
  };
}
