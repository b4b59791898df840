/** Lets at most a number of works run at a time; the others wait in order. */
export interface Semaphore {
  use<T>(work: () => Promise<T>): Promise<T>;
}

/** Makes `count` slots. */
export function createSemaphore(count: number): Semaphore {
  let free = count;
  const waiting: (() => void)[] = [];
  return {
    async use(work) {
      if (free > 0) free--;
      else await new Promise<void>((resolve) => waiting.push(resolve));
      try {
        return await work();
      } finally {
        const next = waiting.shift();
        if (next === undefined) free++;
        else next();
      }
    },
  };
}
