/** Why content was not given by the mirror, in words, by the reason that the mirror has. */
const WORDS: Readonly<Record<string, string>> = {
  'no-record': 'no node had it',
  'peers-skipped': 'the nodes that have it failed or were slow a moment ago',
  'peers-busy': 'a node that has it gave as much as it may',
  'peers-refused': 'the nodes that were said to have it do not have it',
  'peers-failed': 'the nodes that have it did not answer',
  'peers-slow': 'the nodes that have it were too slow',
  overloaded: 'this node answered as many requests as it may',
  filter: 'a filter leaves it out',
  'broken-off': 'its body was broken off',
};

/** The reason in words; a reason of a newer node stays as it is. */
export function missWords(reason: string | undefined): string {
  return reason === undefined ? 'no node gave it' : (WORDS[reason] ?? reason);
}
