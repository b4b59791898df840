/** Why content was not given by the mirror, in words, by the reason that the mirror has. */
const WORDS: Readonly<Record<string, string>> = {
  'no-record': 'no node had it',
  'peers-skipped': 'nodes failed or were slow a moment ago',
  'peers-busy': 'a node gave as much as it may',
  'peers-refused': 'the nodes that were asked do not have it',
  'peers-failed': 'the nodes that were asked did not answer',
  'peers-slow': 'the nodes that were asked were too slow',
  overloaded: 'this node had no room for the request',
  filter: 'a filter leaves it out',
  'broken-off': 'the body was broken off',
};

/** The reason in words, of so many pieces of content; a reason of a newer node stays as it is. */
export function missWords(reason: string | undefined, count = 1): string {
  const words = reason === undefined ? 'no node gave it' : (WORDS[reason] ?? reason);
  return count === 1 ? words : words.replace(/\bit( out)?$/, 'them$1');
}
