/** Lets what wants to begin through a few at a time. */
export interface Turnstile {
  /** Resolves when it may begin: at once while few do, else in a later turn of the event loop, in order. */
  pass(): Promise<void>;
}

/**
 * Lets `perTurn` through in each turn of the event loop. Where a hundred requests come with one look at the sockets, everything
 * else would wait for the start of all of them.
 */
export function createTurnstile(perTurn: number): Turnstile {
  let left = perTurn;
  let isTurnDue = false;
  const waiting: (() => void)[] = [];

  const begin = () => {
    left--;
    if (isTurnDue) return;
    isTurnDue = true;
    setImmediate(nextTurn);
  };
  const nextTurn = () => {
    isTurnDue = false;
    left = perTurn;
    for (const go of waiting.splice(0, perTurn)) {
      begin();
      go();
    }
  };

  return {
    async pass() {
      if (left > 0) {
        begin();
        return;
      }
      await new Promise<void>((resolve) => {
        waiting.push(resolve);
      });
    },
  };
}
