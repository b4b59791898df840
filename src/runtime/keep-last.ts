/**
 * The function, which works out its result anew only when it is given another argument than the last time. For what is
 * asked for all the time and hardly ever changes.
 */
export function keepLast<A, R>(work: (argument: A) => R): (argument: A) => R {
  let last: { readonly argument: A; readonly result: R } | undefined;
  return (argument) => {
    if (last === undefined || last.argument !== argument) last = { argument, result: work(argument) };
    return last.result;
  };
}
