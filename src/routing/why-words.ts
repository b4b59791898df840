/** What a peer says of content, as a part of a sentence; see WhyPeer.said. */
export const PEER_SAID: Readonly<Record<string, string>> = {
  'has-it': 'has it',
  absent: 'does not have it',
  busy: 'gives as much as it may just now',
  wrong: 'gives an answer that is not usable',
  CONNECT_FAILED: 'does not take connections',
  CONNECT_TIMEOUT: 'cannot be reached',
  HEAD_TIMEOUT: 'does not answer',
  CONNECTION_LOST: 'closes the connection',
};

/** Why a peer is not asked in its turn, as a part of a sentence; see PeerStanding.why. */
export const STANDING_WORDS: Readonly<Record<string, string>> = {
  failed: 'failed a moment ago',
  late: 'was late a moment ago',
  slow: 'was slow a while ago',
};

/** Why content is missing, by its MissReason, as a part of a sentence that calls the others nodes or peers. */
export function missingWords(other: 'node' | 'peer'): Readonly<Record<string, string>> {
  return {
    'no-record': `no ${other} is known to have it`,
    'peers-skipped': `the ${other}s that have it are left alone for now`,
    'peers-busy': `a ${other} that has it gives as much as it may just now`,
    'peers-refused': `the ${other}s that were said to have it do not give it`,
    'peers-failed': `the ${other}s that have it do not answer`,
    filter: 'it is not shared',
  };
}
