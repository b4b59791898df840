import type { Clock } from '../runtime/clock.ts';

/** A peer that is being asked. */
export interface Attempt<T> {
  /** Undefined: it gave no answer. */
  readonly answer: Promise<T | undefined>;
  /** Ends the request: another peer was faster. */
  giveUp(): void;
}

/** A peer that may be asked beside those that are late. */
export interface NextAttempt<A> {
  /** So many ms after the peer before it, while none has answered. */
  readonly afterMs: number;
  /** Begins to ask it; undefined: there is none to ask. */
  readonly start: () => A | undefined;
}

/** What hedge() is told. */
export interface HedgeOptions<T, A extends Attempt<T>> {
  readonly clock: Pick<Clock, 'sleep'>;
  readonly next: readonly NextAttempt<A>[];
  /** Told of the attempt that won once further peers were asked, and of the others; undefined: none gave an answer. */
  readonly onEnd: (winner: A | undefined, losers: readonly A[]) => void;
  /** Gets the answer of a peer that lost in the moment in which it answered. */
  readonly discard: (answer: T) => void;
}

/** Why a wait ends early; nothing sees it. Without it each would make an error of its own. */
const ANSWERED = new Error('The peer has answered');

/**
 * Waits for the answer of a peer, and while it is late asks further ones beside it: the answer that comes first counts, and the
 * other requests end before their bodies have come. Returns the attempt that won, or that is left; undefined where none gave an
 * answer. Rejects when asking rejects.
 */
export async function hedge<T, A extends Attempt<T>>(
  first: A,
  { clock, next, onEnd, discard }: HedgeOptions<T, A>,
): Promise<A | undefined> {
  const attempts = [first];
  for (const { afterMs, start } of next) {
    const any = attempts.length === 1 ? first.answer : firstAnswered<T, A>(attempts);
    if (!(await isLate(any, afterMs, clock))) break;
    const attempt = start();
    if (attempt !== undefined) attempts.push(attempt);
  }
  if (attempts.length === 1) return first;
  const winner = await firstAnswered<T, A>(attempts);
  const losers = attempts.filter((attempt) => attempt !== winner);
  onEnd(winner, losers);
  if (winner === undefined) return undefined;
  for (const loser of losers) {
    loser.giveUp();
    // That it fails now is of no interest.
    loser.answer.then(
      (answer) => answer !== undefined && discard(answer),
      () => {},
    );
  }
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
