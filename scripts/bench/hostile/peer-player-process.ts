/** Plays peers of the cluster: started with the path of its control socket. */
import { setTimeout as sleep } from 'node:timers/promises';
import { serveControl } from '../cluster/control.ts';
import {
  createSplitter,
  encodeAddProvider,
  encodeGetProviders,
  ipv4Multiaddr,
  multihashOf,
} from '../records/dht-messages.ts';
import { summarize } from '../statistics.ts';
import { createLightIdentity } from './light-identity.ts';
import { connectLightPeer, KAD, type LightPeer } from './light-peer.ts';
import type { LightStream } from './light-muxer.ts';
import { createNoiseKey } from './noise-session.ts';
import type { PeerFigures, PeerLoad, PeerPlayerCommands } from './player-commands.ts';

/** Handshakes that are made at a time. */
const CONNECTS_AT_ONCE = 16;
/** Before a peer that was refused or ended comes again, in ms. */
const RETRY_MS = 500;
/** How long one that comes and goes is there, in ms: long enough to be known. */
const VISIT_MS = 1_000;
/** Between two questions of a peer in a crowd, in ms. */
const ASK_EVERY_MS = 5_000;
/** Records, and questions, that are handed over at a time: some 30 KB. */
const BATCH = 400;
const ROUTER_PORT = 5001;
const MAX_TIMES = 10_000;

const figures = { joined: 0, refused: 0, ended: 0, recordsSent: 0, questionsSent: 0, answers: 0 };
const answerMs: number[] = [];
const peers = new Set<LightPeer>();
const rawEnds = new Set<() => void>();
const noiseKey = createNoiseKey();
const state = { isRunning: false, connecting: 0 };

const [socketPath = ''] = process.argv.slice(2);
serveControl<PeerPlayerCommands>(socketPath, {
  async start(load) {
    state.isRunning = true;
    for (let n = 0; n < load.peers; n++) void play(load, n);
  },
  figures: async () => snapshot(),
  async stop() {
    state.isRunning = false;
    const result = snapshot();
    for (const peer of peers) peer.close();
    for (const end of rawEnds) end();
    return result;
  },
});

function snapshot(): PeerFigures {
  return { ...figures, connected: peers.size + rawEnds.size, answerMs: summarize(answerMs) };
}

async function play(load: PeerLoad, n: number): Promise<void> {
  const address = load.addresses[n % load.addresses.length] ?? '';
  let identity = createLightIdentity();
  while (state.isRunning) {
    if (load.manner === 'half-open') {
      await stayHalfOpen(load, address);
      continue;
    }
    while (state.connecting >= CONNECTS_AT_ONCE) await sleep(20);
    state.connecting++;
    const peer = await connectLightPeer({
      identity,
      key: noiseKey,
      host: load.host,
      port: load.port,
      localAddress: address,
      announced: address,
    }).catch(() => undefined);
    state.connecting--;
    if (peer === undefined) {
      figures.refused++;
      await sleep(RETRY_MS);
      continue;
    }
    figures.joined++;
    peers.add(peer);
    await behave(peer, load, address).catch(() => undefined);
    if (load.manner === 'come-and-go') {
      await Promise.race([sleep(VISIT_MS), peer.ended]);
      peer.close();
      identity = createLightIdentity();
    }
    await peer.ended;
    peers.delete(peer);
    if (load.manner !== 'come-and-go' && state.isRunning) figures.ended++;
    if (state.isRunning && load.manner !== 'come-and-go') await sleep(RETRY_MS);
  }
}

/** What it does once it is connected; returns when all is sent. */
async function behave(peer: LightPeer, load: PeerLoad, address: string): Promise<void> {
  switch (load.manner) {
    case 'unread': {
      const streams = await Promise.all(
        Array.from({ length: load.streams ?? 1 }, async () => peer.open(KAD)),
      );
      await Promise.all(streams.map(async (stream) => askUnread(stream, load.keys ?? [])));
      break;
    }
    case 'records': {
      await sendRecords(peer, load.records ?? 0, address);
      break;
    }
    case 'crowd': {
      void askNowAndThen(peer, load.keys ?? []).catch(() => undefined);
      break;
    }
    case 'stay':
    case 'come-and-go':
    case 'half-open':
      break;
  }
}

async function askUnread(stream: LightStream, keys: readonly string[]): Promise<void> {
  stream.reads = false;
  stream.onData = () => {};
  const questions = Buffer.concat(
    Array.from({ length: BATCH }, (_, n) => encodeGetProviders(multihashOf(keys[n % keys.length] ?? ''))),
  );
  while (state.isRunning && stream.isOpen) {
    await stream.send(questions);
    figures.questionsSent += BATCH;
    // Others of this process have their turn.
    await sleep(0);
  }
}

async function sendRecords(peer: LightPeer, records: number, address: string): Promise<void> {
  const stream = await peer.open(KAD);
  const own = ipv4Multiaddr(address, ROUTER_PORT);
  const name = Buffer.from(peer.identity.id).toString('hex');
  for (let sent = 0; sent < records && state.isRunning; sent += BATCH) {
    const count = Math.min(BATCH, records - sent);
    const batch = Array.from({ length: count }, (_, n) =>
      encodeAddProvider(multihashOf(`${name} ${sent + n}`), peer.identity.id, own),
    );
    await stream.send(Buffer.concat(batch));
    figures.recordsSent += count;
  }
}

async function askNowAndThen(peer: LightPeer, keys: readonly string[]): Promise<void> {
  const stream = await peer.open(KAD);
  const split = createSplitter();
  let askedMs = 0;
  stream.onData = (bytes) => {
    for (const _ of split(bytes)) {
      figures.answers++;
      if (answerMs.length < MAX_TIMES) answerMs.push(performance.now() - askedMs);
    }
  };
  while (state.isRunning && stream.isOpen) {
    await sleep(ASK_EVERY_MS * (0.5 + Math.random()));
    askedMs = performance.now();
    await stream.send(encodeGetProviders(multihashOf(keys[Math.floor(Math.random() * keys.length)] ?? '')));
    figures.questionsSent++;
  }
}

/** Connects and says nothing; returns when the node has ended it. */
async function stayHalfOpen({ host, port }: PeerLoad, localAddress: string): Promise<void> {
  const ended = Promise.withResolvers<void>();
  const onEnd = () => ended.resolve();
  try {
    const socket = await Bun.connect({
      hostname: host,
      port,
      ...({ localAddress } as object),
      socket: { data() {}, close: onEnd, end: onEnd, error: onEnd },
    });
    const end = () => socket.terminate();
    rawEnds.add(end);
    figures.joined++;
    await ended.promise;
    rawEnds.delete(end);
    figures.ended++;
    end();
  } catch {
    figures.refused++;
  }
  if (state.isRunning) await sleep(RETRY_MS);
}
