/** Plays HTTP clients on raw sockets: started with the path of its control socket. */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Socket } from 'bun';
import { serveControl } from '../cluster/control.ts';
import type { HttpFigures, HttpLoad, HttpPlayerCommands, HttpTarget } from './player-commands.ts';

const MIB = 1024 * 1024;
/** A client that was refused tries again after this, in ms. */
const RETRY_MS = 100;
/** A client that reads nothing comes anew after this, in ms: the node may have given up on it long before. */
const RENEW_MS = 20_000;
const HEAD_END = Buffer.from('\r\n\r\n');

/** How one request ended. */
type Outcome = 'complete' | 'wrong' | 'short' | 'reset' | 'refused' | 'left';

const figures = { statuses: {} as Record<string, number>, complete: 0, wrong: 0, short: 0, reset: 0 };
const files = new Map<string, Uint8Array>();
const sockets = new Set<Socket>();
const state = { isRunning: false };

const [socketPath = ''] = process.argv.slice(2);
serveControl<HttpPlayerCommands>(socketPath, {
  async start(load) {
    for (const { file } of load.targets) {
      if (file !== undefined && !files.has(file)) files.set(file, readFileSync(file));
    }
    state.isRunning = true;
    for (let n = 0; n < load.clients; n++) void play(load, n);
  },
  figures: async () => snapshot(),
  async stop() {
    state.isRunning = false;
    const result = snapshot();
    for (const socket of sockets) socket.terminate();
    return result;
  },
});

function snapshot(): HttpFigures {
  return { ...figures, statuses: { ...figures.statuses } };
}

async function play(load: HttpLoad, n: number): Promise<void> {
  const client = createClient(load);
  // Each begins with another one and takes all of them in turn.
  for (let turn = n; state.isRunning; turn++) {
    const target = load.targets[turn % load.targets.length];
    if (target === undefined) return;
    const outcome = await client.request(target);
    if (!state.isRunning) return;
    if (outcome !== 'left' && outcome !== 'refused') figures[outcome]++;
    if (outcome === 'reset' || (outcome === 'refused' && load.isPatient)) await sleep(RETRY_MS);
  }
}

/** What is expected of a request, and what came of it so far. */
interface Exchange {
  readonly target: HttpTarget;
  readonly from: number;
  readonly wantedBytes: number;
  head: Buffer;
  status: number;
  /** Of the body; undefined before the head is there. */
  lengthBytes: number | undefined;
  isKept: boolean;
  receivedBytes: number;
  isWrong: boolean;
  readonly finish: (outcome: Outcome) => void;
}

function createClient({ host, port, manner }: HttpLoad) {
  let connected: Socket | undefined;
  let exchange: Exchange | undefined;
  const finish = (outcome: Outcome) => {
    const ended = exchange;
    exchange = undefined;
    ended?.finish(outcome);
  };
  const onClose = (socket: Socket) => {
    sockets.delete(socket);
    if (socket !== connected) return;
    connected = undefined;
    if (exchange === undefined) return;
    finish(exchange.lengthBytes === undefined ? 'reset' : 'short');
  };
  const leave = (outcome: Outcome) => {
    const socket = connected;
    connected = undefined;
    socket?.terminate();
    finish(outcome);
  };
  const onData = (socket: Socket, bytes: Buffer) => {
    if (socket !== connected || exchange === undefined) return;
    let body = bytes;
    if (exchange.lengthBytes === undefined) {
      exchange.head = Buffer.concat([exchange.head, bytes]);
      const end = exchange.head.indexOf(HEAD_END);
      if (end < 0) return;
      body = exchange.head.subarray(end + HEAD_END.length);
      readHead(exchange, exchange.head.toString('latin1', 0, end));
      figures.statuses[exchange.status] = (figures.statuses[exchange.status] ?? 0) + 1;
    }
    const { status, lengthBytes = 0, isKept } = exchange;
    const isWanted = status === (manner === 'range' ? 206 : 200);
    if (isWanted && body.length > 0) check(exchange, body);
    exchange.receivedBytes += body.length;
    if (manner === 'leave' && isWanted && exchange.receivedBytes > 0) {
      leave('left');
    } else if (exchange.receivedBytes >= lengthBytes) {
      const outcome = !isWanted
        ? 'refused'
        : lengthBytes !== exchange.wantedBytes
          ? 'short'
          : exchange.isWrong
            ? 'wrong'
            : 'complete';
      if (isKept) finish(outcome);
      else leave(outcome);
    }
  };
  const connect = async (): Promise<Socket> => {
    const socket = await Bun.connect({
      hostname: host,
      port,
      socket: { data: onData, close: onClose, end: onClose, error: onClose },
    });
    sockets.add(socket);
    return socket;
  };
  return {
    async request(target: HttpTarget): Promise<Outcome> {
      let socket: Socket;
      try {
        socket = connected ??= await connect();
      } catch {
        return 'reset';
      }
      const rangeBytes = Math.min(MIB, target.sizeBytes);
      const from = manner === 'range' ? Math.floor(Math.random() * (target.sizeBytes - rangeBytes)) : 0;
      const wantedBytes = manner === 'range' ? rangeBytes : target.sizeBytes;
      const range = manner === 'range' ? `Range: bytes=${from}-${from + rangeBytes - 1}\r\n` : '';
      const done = Promise.withResolvers<Outcome>();
      exchange = {
        target,
        from,
        wantedBytes,
        head: Buffer.alloc(0),
        status: 0,
        lengthBytes: undefined,
        isKept: true,
        receivedBytes: 0,
        isWrong: false,
        finish: done.resolve,
      };
      if (manner === 'unread') {
        socket.pause();
        const timer = setTimeout(() => leave('left'), RENEW_MS);
        void done.promise.then(() => clearTimeout(timer));
      }
      socket.write(`GET ${target.path} HTTP/1.1\r\nHost: ${host}:${port}\r\n${range}\r\n`);
      return done.promise;
    },
  };
}

/** An answer without a length is taken to have none: it ends the connection. */
function readHead(exchange: Exchange, head: string): void {
  exchange.status = Number(head.slice(9, 12));
  const length = /^content-length: *(\d+)/im.exec(head)?.[1];
  exchange.lengthBytes = Number(length ?? 0);
  exchange.isKept = length !== undefined && !/^connection: *close/im.test(head);
}

function check(exchange: Exchange, body: Buffer): void {
  const { target, from, receivedBytes } = exchange;
  const expected = target.file === undefined ? undefined : files.get(target.file);
  if (expected === undefined) return;
  const at = from + receivedBytes;
  if (!body.equals(expected.subarray(at, at + body.length))) exchange.isWrong = true;
}
