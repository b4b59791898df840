import type { Clock } from '../runtime/clock.ts';

/** A peer that is being asked. */
export interface Attempt<T> {
  /** Undefined: it gave no answer. */
  readonly answer: Promise<T | undefined>;
  /** Ends the request: another peer was faster. */
  giveUp(): void;
}

/** What hedge() is told. */
export interface HedgeOptions<T, A extends Attempt<T>> {
  readonly clock: Pick<Clock, 'sleep'>;
  /** After so many ms the first peer is late. */
  readonly lateAfterMs: number;
  /** Begins to ask a second peer; undefined: there is none to ask. */
  readonly startSecond: () => A | undefined;
  /** Told of the attempt that won once a second peer was asked; undefined: neither gave an answer. */
  readonly onEnd: (winner: A | undefined) => void;
  /** Gets the answer of a peer that lost in the moment in which it answered. */
  readonly discard: (answer: T) => void;
}

/** Why a wait ends early; nothing sees it. Without it each would make an error of its own. */
const ANSWERED = new Error('The peer has answered');

/**
 * Waits for the answer of a peer, and when it is late asks a second one beside it: the answer that comes first counts, and the
 * other request ends before its body has come. Returns the attempt that won, or that is left; undefined where none gave an
 * answer. Rejects when asking rejects.
 */
export async function hedge<T, A extends Attempt<T>>(
  first: A,
  { clock, lateAfterMs, startSecond, onEnd, discard }: HedgeOptions<T, A>,
): Promise<A | undefined> {
  if (!(await isLate(first.answer, lateAfterMs, clock))) return first;
  const second = startSecond();
  if (second === undefined) return first;
  const winner = await firstAnswered<T, A>([first, second]);
  onEnd(winner);
  const loser = winner === first ? second : winner === second ? first : undefined;
  loser?.giveUp();
  // That it fails now is of no interest.
  loser?.answer.then(
    (answer) => answer !== undefined && discard(answer),
    () => {},
  );
  return winner;
}

/** True if there is no answer within the time. */
async function isLate(answer: Promise<unknown>, ms: number, clock: Pick<Clock, 'sleep'>): Promise<boolean> {
  const answered = new AbortController();
  const end = () => answered.abort(ANSWERED);
  answer.then(end, end);
  return clock.sleep(ms, answered.signal).then(
    () => true,
    () => false,
  );
}

/** The first that answers; undefined if none does. */
async function firstAnswered<T, A extends Attempt<T>>(attempts: readonly A[]): Promise<A | undefined> {
  const first = Promise.withResolvers<A | undefined>();
  let left = attempts.length;
  for (const attempt of attempts) {
    attempt.answer.then((answer) => {
      left--;
      if (answer !== undefined) first.resolve(attempt);
      else if (left === 0) first.resolve(undefined);
    }, first.reject);
  }
  return first.promise;
}
