/** Signals that ask a daemon to end, with the exit code of a process that dies by them (128 + number). */
const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const;

/** What listenForSignals needs of the process; injected in tests. */
export interface SignalSource {
  on(event: 'SIGINT' | 'SIGTERM', listener: () => void): unknown;
  off(event: 'SIGINT' | 'SIGTERM', listener: () => void): unknown;
  exit(code: number): void;
}

/** A signal that aborts when the process is asked to end; dispose it to give the signals back. */
export interface TerminationSignal extends Disposable {
  readonly signal: AbortSignal;
}

/** Turns the first SIGTERM or SIGINT into an abort; a second one of either kind exits at once (130 or 143). */
export function listenForSignals(source: SignalSource = process): TerminationSignal {
  const controller = new AbortController();
  const listener = (name: keyof typeof EXIT_CODES) => () => {
    if (controller.signal.aborted) source.exit(EXIT_CODES[name]);
    else controller.abort(new DOMException(`Stopped by ${name}`, 'AbortError'));
  };
  const onInterrupt = listener('SIGINT');
  const onTerminate = listener('SIGTERM');
  source.on('SIGINT', onInterrupt);
  source.on('SIGTERM', onTerminate);
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      source.off('SIGINT', onInterrupt);
      source.off('SIGTERM', onTerminate);
    },
  };
}
