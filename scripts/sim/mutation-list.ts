/** One mistake, made on purpose. */
export interface Mutation {
  readonly name: string;
  /** Below src/dht, or where the list says. */
  readonly file: string;
  /** Occurs in the file exactly once. */
  readonly find: string;
  readonly replace: string;
  /** The scenario that has to find it. */
  readonly scenario: string;
}

/** Mistakes that the simulation has to find, one by one. */
export const MUTATIONS: readonly Mutation[] = [
  {
    name: 'records never expire',
    file: 'provide/provider-records.ts',
    find: '+ validityMs < nowMs() - startMs',
    replace: '+ validityMs < -1',
    scenario: 'lasting',
  },
  {
    name: 'records expire at once',
    file: 'provide/provider-records.ts',
    find: '+ validityMs < nowMs() - startMs',
    replace: '+ SECOND_MS < nowMs() - startMs',
    scenario: 'quiet',
  },
  {
    name: 'the first answer decides that there is nobody',
    file: 'lookup/iterative-lookup.ts',
    find: 'counted >= LOOKUP_QUORUM',
    replace: 'counted >= 1',
    scenario: 'lies',
  },
  {
    name: 'an answer to another question is taken',
    file: 'wire/dht-message.ts',
    find: 'Buffer.compare(answer.key, question.key) !== 0',
    replace: 'answer.key.length === 1',
    scenario: 'lies',
  },
  {
    name: 'a record is taken for others than its sender',
    file: 'rpc-handler.ts',
    find: 'if (!providers.some((provider) => isAbout(provider, from, name))) return undefined;',
    replace: "for (const each of providers) records.add(key, parsePeer(each)?.id.toHex() ?? '');",
    scenario: 'lies',
  },
  {
    name: 'new peers get no records',
    file: 'provide/peer-changes.ts',
    find: 'newPeers.add(peerId);',
    replace: '',
    scenario: 'joining',
  },
  {
    name: 'who has just joined is believed to have all records',
    file: 'lookup/fresh-peers.ts',
    find: '< FRESH_PEER_MS,',
    replace: '< 0,',
    scenario: 'joining',
  },
  {
    name: 'nothing is provided again',
    file: 'provide/reprovider.ts',
    find: 'assign(due, closestTo);',
    replace: 'void due;',
    scenario: 'lasting',
  },
  {
    name: 'the farther replicas are never told',
    file: 'provide/reprovider.ts',
    find: 'await assign(batch, (key) => closestTo(key).slice(earlyReplicas));',
    replace: '',
    scenario: 'erosion',
  },
  {
    name: 'who has left is not replaced',
    file: 'provide/peer-changes.ts',
    find: 'leftPeers.set(peerId, position);',
    replace: '',
    scenario: 'erosion',
  },
  {
    name: 'the dead are handed out',
    file: 'lookup/provider-lookups.ts',
    find: "if (life === 'suspect') suspect.push(provider);",
    replace: "if (life === 'suspect' || life === 'dead') return true;",
    scenario: 'holders',
  },
  {
    name: 'nobody is found to be silent',
    file: 'peers/failure-detector.ts',
    find: '      onSilent(peer);',
    replace: '',
    scenario: 'holders',
  },
  {
    name: 'what watchers say is ignored',
    file: 'take-notice.ts',
    find: 'for (const suspect of suspects) detector.suspect(suspect.toHex());',
    replace: '',
    scenario: 'holders',
  },
  {
    name: 'nobody watches',
    file: 'peers/probe-assignment.ts',
    find: 'if (closer < WATCHERS_PER_PEER) turns.set(peer.name, closer === 0 ? PING_AFTER_MS : PING_NEXT_AFTER_MS);',
    replace: '',
    scenario: 'holders',
  },
  {
    name: 'who cannot be reached is not taken for dead',
    file: 'peers/peer-states.ts',
    find: "unreachable: { any: { to: 'dead', effects: ['unlisted'] } },",
    replace: 'unreachable: {},',
    scenario: 'holders',
  },
  {
    name: 'the dead stay dead',
    file: 'peers/peer-states.ts',
    find: "connected: { any: { to: 'alive' } },",
    replace: "connected: { any: { to: 'alive' }, dead: { to: 'dead' } },",
    scenario: 'partition',
  },
  {
    name: 'a miss is kept for a minute',
    file: 'lookup/lookup-cache.ts',
    find: ': MISS_LIFETIME_MS',
    replace: ': 60_000',
    scenario: 'quiet',
  },
  {
    name: 'what was found is kept for a minute',
    file: 'lookup/lookup-cache.ts',
    find: 'KEEP_FOUND_MS : MISS_LIFETIME_MS',
    replace: '60_000 : MISS_LIFETIME_MS',
    scenario: 'withdraw',
  },
  {
    name: 'withdrawing tells nobody',
    file: 'dht-node.ts',
    find: '      notices.withdrawn(keys);',
    replace: '',
    scenario: 'withdraw',
  },
  {
    name: 'a notice to withdraw is ignored',
    file: 'take-notice.ts',
    find: 'for (const multihash of withdrawn) records.remove(multihash, name);',
    replace: '',
    scenario: 'withdraw',
  },
  {
    name: 'a stranger withdraws',
    file: 'take-notice.ts',
    find: 'for (const multihash of withdrawn) records.remove(multihash, name);',
    replace:
      'for (const each of withdrawn) for (const who of records.providersOf(each)) records.remove(each, who);',
    scenario: 'withdraw',
  },
  {
    name: 'the closest peers are any peers',
    file: 'peers/peer-table.ts',
    find: 'prefixOf(position) ^ SIGN;',
    replace: 'prefixOf(keyspacePosition(Uint8Array.from(position, (byte) => byte ^ entries.size))) ^ SIGN;',
    scenario: 'quiet',
  },
  {
    name: 'the closest peers are the farthest',
    file: 'peers/peer-table.ts',
    find: 'if (distance !== other) return distance < other;',
    replace: 'if (distance !== other) return distance > other;',
    scenario: 'quiet',
  },
  {
    name: 'of many providers always the first are named',
    file: 'rpc-handler.ts',
    find: 'place + Math.floor(random() * (items.length - place))',
    replace: 'place',
    scenario: 'quiet',
  },
  {
    name: 'who is named is not taken into the table',
    file: 'peers/crawler.ts',
    find: 'if (!onNamed(peer)) return;',
    replace: 'if (onNamed !== undefined) return;',
    scenario: 'quiet',
  },
  {
    name: 'many who come at once are met as one is',
    file: 'peers/crawler.ts',
    find: 'else isAwake = true;',
    replace: '',
    scenario: 'partition',
  },
  {
    name: 'who lost its connection is not dialled again',
    file: 'peers/reconnector.ts',
    find: 'if (!leaving.delete(peer)) inBackground(peer, async () => reconnect(peer));',
    replace: 'leaving.delete(peer);',
    scenario: 'holders',
  },
];
