import type { Look } from '../terminal/look.ts';

/** Where the text of a command goes. */
export interface Output {
  readonly writeOut: (text: string) => void;
  /** How it may look just now: a terminal changes its width. */
  readonly look: () => Look;
}

/** What is asked, and how the answer is told. */
export interface Question<A> {
  /** Throws DaemonError. */
  readonly ask: () => Promise<A>;
  /** As text, with a line feed at its end. */
  readonly format: (answer: A, look: Look) => string;
  /** Tell it as JSON. */
  readonly json: boolean;
}
