import { abortable } from '../runtime/abortable.ts';
import type { Clock } from '../runtime/clock.ts';
import { formatAge, formatSpan } from '../terminal/format-age.ts';
import { formatText, formatVerdict } from '../terminal/format-facts.ts';
import { createFrame } from '../terminal/frame.ts';
import type { Screen } from '../terminal/look.ts';
import { paint } from '../terminal/paint.ts';
import { DaemonError } from './daemon-error.ts';
import type { Output, Question } from './question.ts';

/** How to ask again. */
export interface Watch {
  readonly intervalMs: number;
  /** Ends the watch. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  /** The time of day, in ms since the epoch. */
  readonly wallClockMs: () => number;
  /** The terminal on which the answer is drawn anew; undefined: each answer goes below the answer before it. */
  readonly screen: Screen | undefined;
  /** Takes what is said of failures where the output is for programs or a file. */
  readonly writeError: (text: string) => void;
}

/** Tells answers, and that there is none just now. */
interface Teller<A> extends Disposable {
  answer(answer: A): void;
  failure(error: DaemonError): void;
}

/**
 * Asks at once and then after each interval, until the signal. On a terminal the answer is drawn in the place of the answer before it;
 * otherwise each is a block of text that begins with its time, or a line of JSON. A daemon that does not answer is told of and asked
 * again. Returns the first answer, undefined if the signal came before. Throws DaemonError if the first question fails.
 */
export async function watchAnswers<A>(
  question: Question<A>,
  output: Output,
  watch: Watch,
): Promise<A | undefined> {
  const { intervalMs, signal, clock, screen } = watch;
  using teller =
    screen === undefined || question.json
      ? tellInTurn(question, output, watch)
      : tellInPlace(question, output, { ...watch, screen });
  let first: A | undefined;
  try {
    first = await abortable(question.ask(), signal);
    teller.answer(first);
    for (;;) {
      await clock.sleep(intervalMs, signal);
      try {
        teller.answer(await abortable(question.ask(), signal));
      } catch (error) {
        if (!(error instanceof DaemonError)) throw error;
        teller.failure(error);
      }
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  return first;
}

/** Each answer below the answer before it; a failure is said when it is another than before. */
function tellInTurn<A>(
  { format, json }: Question<A>,
  { writeOut, look }: Output,
  { intervalMs, wallClockMs, writeError }: Watch,
): Teller<A> {
  const time = () => new Date(wallClockMs()).toISOString();
  let said: string | undefined;
  return {
    answer(answer) {
      said = undefined;
      writeOut(json ? `${JSON.stringify(answer)}\n` : `${time()}\n${format(answer, look())}\n`);
    },
    failure({ message }) {
      if (message === said) return;
      said = message;
      writeError(`${time()} ${message}. It is asked again every ${formatSpan(intervalMs)}\n`);
    },
    [Symbol.dispose]() {},
  };
}

/** The last answer on the screen, and what is wrong with it above. */
function tellInPlace<A>(
  { format }: Question<A>,
  { writeOut, look }: Output,
  { intervalMs, wallClockMs, screen }: Watch & { readonly screen: Screen },
): Teller<A> {
  const frame = createFrame(screen, writeOut);
  let last: { readonly answer: A; readonly atMs: number } | undefined;
  const draw = (above: string) => {
    const time = new Date(wallClockMs()).toISOString().slice(11, 19);
    const foot = `${time} UTC, asked every ${formatSpan(intervalMs)}; Ctrl-C ends it`;
    const text = last === undefined ? '' : format(last.answer, look());
    frame.draw(`${above}${text}`, paint(foot, 'faint', look()));
  };
  return {
    answer(answer) {
      last = { answer, atMs: wallClockMs() };
      draw('');
    },
    failure({ message }) {
      const age = last === undefined ? '' : ` What it said ${formatAge(wallClockMs() - last.atMs)} ago:`;
      draw(formatVerdict(`${message}.`, 'bad', look()) + formatText(`It is asked again.${age}`, look()));
    },
    [Symbol.dispose]: () => frame[Symbol.dispose](),
  };
}
