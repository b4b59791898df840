import type { Output, Question } from './question.ts';

/** Asks, writes the answer, and returns it. Throws DaemonError. */
export async function showAnswer<A>(
  { ask, format, json }: Question<A>,
  { writeOut, look }: Output,
): Promise<A> {
  const answer = await ask();
  writeOut(json ? `${JSON.stringify(answer, undefined, 2)}\n` : format(answer, look()));
  return answer;
}
