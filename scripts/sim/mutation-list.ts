/** One mistake, made on purpose. */
export interface Mutation {
  readonly name: string;
  /** Below src/dht. */
  readonly file: string;
  /** Occurs in the file exactly once. */
  readonly find: string;
  readonly replace: string;
  /** The story that has to find it. */
  readonly story: string;
}

/** Mistakes that the simulation has to find, one by one. */
export const MUTATIONS: readonly Mutation[] = [
  {
    name: 'records never expire',
    file: 'provide/provider-records.ts',
    find: '+ validityMs < nowMs() - startMs',
    replace: '+ validityMs < -1',
    story: 'lasting',
  },
  {
    name: 'records expire at once',
    file: 'provide/provider-records.ts',
    find: '+ validityMs < nowMs() - startMs',
    replace: '+ SECOND_MS < nowMs() - startMs',
    story: 'quiet',
  },
  {
    name: 'the first answer decides that there is nobody',
    file: 'lookup/iterative-lookup.ts',
    find: 'counted >= LOOKUP_QUORUM',
    replace: 'counted >= 1',
    story: 'lies',
  },
  {
    name: 'an answer to another question is taken',
    file: 'wire/dht-message.ts',
    find: 'Buffer.compare(answer.key, question.key) !== 0',
    replace: 'answer.key.length === 1',
    story: 'lies',
  },
  {
    name: 'a record is taken for others than its sender',
    file: 'rpc-handler.ts',
    find: 'if (!providers.some((provider) => isAbout(provider, from, name))) return undefined;',
    replace: "for (const each of providers) records.add(key, parsePeer(each)?.id.toHex() ?? '');",
    story: 'lies',
  },
  {
    name: 'new peers get no records',
    file: 'provide/peer-changes.ts',
    find: 'newPeers.add(peerId);',
    replace: '',
    story: 'joining',
  },
  {
    name: 'who has just joined is believed to have all records',
    file: 'lookup/fresh-peers.ts',
    find: '< FRESH_PEER_MS,',
    replace: '< 0,',
    story: 'joining',
  },
  {
    name: 'nothing is provided again',
    file: 'provide/reprovider.ts',
    find: 'assign(due, closestTo);',
    replace: 'void due;',
    story: 'lasting',
  },
  {
    name: 'the farther replicas are never told',
    file: 'provide/reprovider.ts',
    find: 'await assign(batch, (key) => closestTo(key).slice(earlyReplicas));',
    replace: '',
    story: 'erosion',
  },
  {
    name: 'who has left is not replaced',
    file: 'provide/peer-changes.ts',
    find: 'leftPeers.set(peerId, position);',
    replace: '',
    story: 'erosion',
  },
  {
    name: 'the dead are handed out',
    file: 'lookup/provider-lookups.ts',
    find: "if (life === 'suspect') suspect.push(provider);",
    replace: "if (life === 'suspect' || life === 'dead') return true;",
    story: 'holders',
  },
  {
    name: 'nobody is found to be silent',
    file: 'peers/failure-detector.ts',
    find: '      onSilent(peer);',
    replace: '',
    story: 'holders',
  },
  {
    name: 'what watchers say is ignored',
    file: 'dht-node.ts',
    find: 'for (const suspect of suspects) detector.suspect(suspect.toHex());',
    replace: '',
    story: 'holders',
  },
  {
    name: 'nobody watches',
    file: 'peers/probe-assignment.ts',
    find: 'if (closer < WATCHERS_PER_PEER) turns.set(peer.name, closer === 0 ? PING_AFTER_MS : PING_NEXT_AFTER_MS);',
    replace: '',
    story: 'holders',
  },
  {
    name: 'who cannot be reached is not taken for dead',
    file: 'peers/peer-states.ts',
    find: "unreachable: { any: { to: 'dead', effects: ['unlisted'] } },",
    replace: 'unreachable: {},',
    story: 'holders',
  },
  {
    name: 'the dead stay dead',
    file: 'peers/peer-states.ts',
    find: "connected: { any: { to: 'alive' } },",
    replace: "connected: { any: { to: 'alive' }, dead: { to: 'dead' } },",
    story: 'partition',
  },
  {
    name: 'a miss is kept for a minute',
    file: 'lookup/lookup-cache.ts',
    find: ': MISS_LIFETIME_MS',
    replace: ': 60_000',
    story: 'quiet',
  },
  {
    name: 'what was found is kept for a minute',
    file: 'lookup/lookup-cache.ts',
    find: 'KEEP_FOUND_MS : MISS_LIFETIME_MS',
    replace: '60_000 : MISS_LIFETIME_MS',
    story: 'withdraw',
  },
  {
    name: 'withdrawing tells nobody',
    file: 'dht-node.ts',
    find: '      notices.withdrawn(keys);',
    replace: '',
    story: 'withdraw',
  },
  {
    name: 'a notice to withdraw is ignored',
    file: 'dht-node.ts',
    find: 'for (const multihash of withdrawn) records.remove(multihash, name);',
    replace: '',
    story: 'withdraw',
  },
  {
    name: 'a stranger withdraws',
    file: 'dht-node.ts',
    find: 'for (const multihash of withdrawn) records.remove(multihash, name);',
    replace:
      'for (const each of withdrawn) for (const who of records.providersOf(each)) records.remove(each, who);',
    story: 'withdraw',
  },
  {
    name: 'the closest peers are any peers',
    file: 'peers/peer-table.ts',
    find: 'prefixOf(position) ^ SIGN;',
    replace: 'prefixOf(keyspacePosition(Uint8Array.from(position, (byte) => byte ^ entries.size))) ^ SIGN;',
    story: 'quiet',
  },
  {
    name: 'the closest peers are the farthest',
    file: 'peers/peer-table.ts',
    find: 'if (distance !== other) return distance < other;',
    replace: 'if (distance !== other) return distance > other;',
    story: 'quiet',
  },
  {
    name: 'of many providers always the first are named',
    file: 'rpc-handler.ts',
    find: 'place + Math.floor(random() * (items.length - place))',
    replace: 'place',
    story: 'quiet',
  },
  {
    name: 'who is named is not taken into the table',
    file: 'peers/crawler.ts',
    find: 'if (!onNamed(peer)) return;',
    replace: 'if (onNamed !== undefined) return;',
    story: 'quiet',
  },
  {
    name: 'many who come at once are met as one is',
    file: 'peers/crawler.ts',
    find: 'else isAwake = true;',
    replace: '',
    story: 'partition',
  },
  {
    name: 'who lost its connection is not dialled again',
    file: 'peers/reconnector.ts',
    find: 'else inBackground(peer, async () => reconnect(peer));',
    replace: '',
    story: 'holders',
  },
];
