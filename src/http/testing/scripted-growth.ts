import type { FileGrowth } from '../transport.ts';

/** A growth that a test drives. It writes no file. */
export interface ScriptedGrowth extends FileGrowth {
  /** How many subscriptions were begun, and how many of them ended. Ending the same subscription twice counts twice. */
  readonly subscriptions: { readonly begun: number; readonly ended: number };
  /** Says that so many bytes are written. */
  growTo(writtenBytes: number): void;
  /** Says that nothing more will be written. */
  end(): void;
}

/** Creates a growth of a file that has so many bytes so far. */
export function createScriptedGrowth(startBytes = 0): ScriptedGrowth {
  const listeners = new Set<() => void>();
  const subscriptions = { begun: 0, ended: 0 };
  let writtenBytes = startBytes;
  let isOver = false;
  const tell = () => {
    for (const listener of listeners) listener();
  };
  return {
    subscriptions,
    get writtenBytes() {
      return writtenBytes;
    },
    get isOver() {
      return isOver;
    },
    subscribe(listener) {
      subscriptions.begun += 1;
      listeners.add(listener);
      return () => {
        subscriptions.ended += 1;
        listeners.delete(listener);
      };
    },
    growTo(bytes) {
      writtenBytes = bytes;
      tell();
    },
    end() {
      isOver = true;
      tell();
    },
  };
}
