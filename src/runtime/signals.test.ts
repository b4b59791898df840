import { EventEmitter } from 'node:events';
import { describe, expect, test } from 'bun:test';
import { listenForSignals, type SignalSource } from './signals.ts';

function createSource() {
  const emitter = new EventEmitter();
  const exits: number[] = [];
  const source: SignalSource = {
    on: (event, listener) => emitter.on(event, listener),
    off: (event, listener) => emitter.off(event, listener),
    exit: (code) => exits.push(code),
  };
  return { emitter, exits, source };
}

describe('listenForSignals()', () => {
  test.each(['SIGTERM', 'SIGINT'])('listenForSignals() aborts when the first signal is %s', (name) => {
    const { emitter, exits, source } = createSource();
    using termination = listenForSignals(source);
    expect(termination.signal.aborted).toBe(false);
    emitter.emit(name);
    expect(termination.signal.aborted).toBe(true);
    expect((termination.signal.reason as Error).message).toBe(`Stopped by ${name}`);
    expect(exits).toEqual([]);
  });

  test.each([
    ['SIGTERM', 143],
    ['SIGINT', 130],
  ])('listenForSignals() exits when the second signal is %s', (name, code) => {
    const { emitter, exits, source } = createSource();
    using termination = listenForSignals(source);
    emitter.emit('SIGTERM');
    emitter.emit(name);
    expect(termination.signal.aborted).toBe(true);
    expect(exits).toEqual([code]);
  });

  test('dispose gives the signals back', () => {
    const { emitter, source } = createSource();
    listenForSignals(source)[Symbol.dispose]();
    expect(emitter.listenerCount('SIGTERM') + emitter.listenerCount('SIGINT')).toBe(0);
  });
});
