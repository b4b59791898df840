import { RE2JS } from 're2js';

/** A name as filters see it: without its digest, if it has one. */
export interface ImageName {
  readonly registry: string;
  readonly repository: string;
  readonly tag?: string | undefined;
}

/** Thrown by parseImageFilter; the message quotes the expression and says what is wrong with it. */
export class InvalidFilterError extends Error {
  override readonly name = 'InvalidFilterError';
  readonly code = 'FILTER_INVALID';
}

/** True if the image must not be shared. */
export type ImageFilter = (name: ImageName) => boolean;

/**
 * Parses a regular expression of Go (RE2 syntax), which matches anywhere in `registry/repository[:tag]`.
 * Throws InvalidFilterError for what Go would refuse, so that no expression is read in another way than there.
 */
export function parseImageFilter(expression: string): ImageFilter {
  try {
    const compiled = RE2JS.compile(expression);
    return ({ registry, repository, tag }) =>
      compiled.matcher(`${registry}/${repository}${tag === undefined ? '' : `:${tag}`}`).find();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new InvalidFilterError(`Cannot parse filter ${JSON.stringify(expression)}: ${reason}`, { cause });
  }
}
