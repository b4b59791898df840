import type { Socket } from 'bun';
import type { RequestPlan } from './plan-request.ts';

const END_OF_HEAD = Buffer.from('\r\n\r\n');

/** What a client has of an answer. */
export interface SoakAnswer {
  readonly receivedBytes: number;
  /** All bytes were those of the body. */
  readonly isRight: boolean;
  /** `left`: the client ended it. */
  readonly end: 'complete' | 'fin' | 'reset' | 'left';
}

/** A client's connection, for one request after the other. */
export interface SoakClient {
  readonly isOpen: boolean;
  /** Asks for the path, and does what the plan says. */
  request(path: string, plan: RequestPlan, body: Buffer): Promise<SoakAnswer>;
  close(): void;
}

/** Connects a client. It compares what comes with the body, and keeps nothing of it. */
export async function connectSoakClient(port: number): Promise<SoakClient> {
  let isOpen = true;
  let onData: (chunk: Buffer) => void = () => {};
  let onEnd: (end: 'fin' | 'reset') => void = () => {};
  const socket: Socket = await Bun.connect({
    hostname: '127.0.0.1',
    port,
    allowHalfOpen: true,
    socket: {
      data: (_socket, chunk) => onData(chunk),
      end(ended) {
        isOpen = false;
        onEnd('fin');
        ended.end();
      },
      error() {},
      close(_socket, error) {
        isOpen = false;
        onEnd(error === undefined ? 'fin' : 'reset');
      },
    },
  });

  const request: SoakClient['request'] = (path, plan, body) =>
    new Promise((resolve) => {
      let head = Buffer.alloc(0);
      let isInBody = false;
      let receivedBytes = 0;
      let isRight = true;
      let hasActed = plan.client === 'reads';
      let timer: Timer | undefined;
      const finish = (end: SoakAnswer['end']) => {
        onData = () => {};
        onEnd = () => {};
        clearTimeout(timer);
        resolve({ receivedBytes, isRight, end });
      };
      const leave = (how: 'close' | 'reset') => {
        isOpen = false;
        finish('left');
        if (how === 'reset') socket.terminate();
        else socket.close();
      };
      const act = () => {
        hasActed = true;
        switch (plan.client) {
          case 'half-closes':
            socket.shutdown();
            break;
          case 'closes':
            leave('close');
            break;
          case 'resets':
            leave('reset');
            break;
          case 'pauses':
            socket.pause();
            timer = setTimeout(() => socket.resume(), plan.clientMs);
            break;
          case 'stalls':
            socket.pause();
            timer = setTimeout(() => leave('reset'), plan.clientMs);
            break;
          case 'reads':
            break;
        }
      };
      const takeBody = (chunk: Buffer) => {
        const isNext = chunk.equals(body.subarray(receivedBytes, receivedBytes + chunk.length));
        if (!isNext) isRight = false;
        receivedBytes += chunk.length;
        if (receivedBytes >= body.length) {
          finish('complete');
          if (plan.client === 'half-closes' && hasActed) isOpen = false;
          if (plan.client === 'pauses') socket.resume();
        } else if (!hasActed && receivedBytes >= plan.clientAt) act();
      };
      onEnd = finish;
      onData = (chunk) => {
        if (isInBody) {
          takeBody(chunk);
          return;
        }
        head = Buffer.concat([head, chunk]);
        const end = head.indexOf(END_OF_HEAD);
        if (end === -1) return;
        isInBody = true;
        if (!head.toString('latin1', 0, end).includes(`Content-Length: ${body.length}`)) isRight = false;
        takeBody(head.subarray(end + END_OF_HEAD.length));
      };
      socket.write(`GET ${path} HTTP/1.1\r\nHost: node\r\n\r\n`);
    });
  return {
    get isOpen() {
      return isOpen;
    },
    request,
    close: () => socket.close(),
  };
}
