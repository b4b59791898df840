import type { Output, Question } from './question.ts';
import { type Watch, watchAnswers } from './watch-answers.ts';

/** An output on which a command can tell its answer again and again. */
export interface WatchOutput extends Output {
  /** Undefined: ask once. */
  readonly watch?: Watch | undefined;
}

/**
 * Asks and writes the answer, and while there is a watch, again and again. Returns the first answer; undefined: the watch ended
 * before that came. Throws DaemonError if there is no first answer.
 */
export async function showAnswer<A>(
  question: Question<A>,
  { watch, ...output }: WatchOutput,
): Promise<A | undefined> {
  return watch === undefined ? showOnce(question, output) : watchAnswers(question, output, watch);
}

/** Asks, writes the answer, and returns it. Throws DaemonError. */
export async function showOnce<A>(
  { ask, format, json }: Question<A>,
  { writeOut, look }: Output,
): Promise<A> {
  const answer = await ask();
  writeOut(json ? `${JSON.stringify(answer, undefined, 2)}\n` : format(answer, look()));
  return answer;
}
