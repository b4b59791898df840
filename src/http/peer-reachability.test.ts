import { expect, test } from 'bun:test';
import { createPeerReachability } from './peer-reachability.ts';
import { PeerRequestError } from './transport.ts';

const TIMEOUT = new PeerRequestError('CONNECT_TIMEOUT', 'nobody is there');
const REFUSED = new PeerRequestError('CONNECT_FAILED', 'refused');

function setUp(connect: () => Promise<{ destroy(): void }>) {
  const seen = { connects: 0, destroyed: 0, reached: 0 };
  let nowMs = 0;
  const reachability = createPeerReachability({
    connect: () => {
      seen.connects++;
      return connect();
    },
    nowMs: () => nowMs,
  });
  const connection = { destroy: () => void seen.destroyed++ };
  const ask = (exchange: Promise<string>) =>
    reachability
      .whileReachable(exchange, { name: 'p', connection, onReached: () => seen.reached++ })
      .catch((error: unknown) => error);
  return { seen, ask, pass: (ms: number) => (nowMs += ms) };
}

test('whileReachable() ends an exchange with a peer to which no connection can be made', async () => {
  const { seen, ask } = setUp(() => Promise.reject(TIMEOUT));
  expect(await ask(new Promise(() => {}))).toBe(TIMEOUT);
  expect(seen).toMatchObject({ connects: 1, destroyed: 1, reached: 0 });
});

test('whileReachable() ends all exchanges with the peer by one connection that cannot be made', async () => {
  const { seen, ask } = setUp(() => Promise.reject(TIMEOUT));
  const silent = () => ask(new Promise(() => {}));
  expect(await Promise.all([silent(), silent(), silent()])).toEqual([TIMEOUT, TIMEOUT, TIMEOUT]);
  expect(seen).toMatchObject({ connects: 1, destroyed: 3 });
});

test('whileReachable() makes no connection while the peer answers, and ends with what the exchange ends with', async () => {
  const { seen, ask } = setUp(() => Promise.reject(TIMEOUT));
  expect(await ask(Promise.resolve('answer'))).toBe('answer');
  expect(await ask(Promise.reject(REFUSED))).toBe(REFUSED);
  expect(seen.connects).toBe(0);
});

test.each([
  ['takes connections', () => Promise.resolve({ destroy: () => {} })],
  ['refuses connections, as while it stops', () => Promise.reject(REFUSED)],
])('whileReachable() waits for a peer that %s, and asks no more than once a second', async (_, connect) => {
  const { seen, ask, pass } = setUp(connect);
  const late = async () => {
    const answer = Promise.withResolvers<string>();
    const asked = ask(answer.promise);
    await Bun.sleep(60);
    answer.resolve('late');
    return asked;
  };
  expect(await late()).toBe('late');
  expect(await late()).toBe('late');
  expect(seen).toMatchObject({ connects: 1, destroyed: 0, reached: 2 });
  pass(1000);
  expect(await late()).toBe('late');
  expect(seen.connects).toBe(2);
});
