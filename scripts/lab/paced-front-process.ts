/**
 * Runs inside a node's namespace and carries bytes between other nodes and the node's mirror, as slowly as a file says:
 * `<address> <port> <port of the mirror on the loopback> <file>`. The file has `<bytes> <ms>`, so many bytes each so many
 * ms on each connection, `lie` to flip a bit of each piece, or nothing for as fast as it goes. The first KiB of each answer are never touched, so that a test is
 * about layers. A line on standard output says that it listens.
 */
import { readFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';

/** Heads, manifests and configs of a test image. */
const FREE_BYTES = 16 * 1024;
const IDLE_POLL_MS = 20;

const [address = '', port, target, file = ''] = process.argv.slice(2);

const readOrder = () => readFileSync(file, 'utf8').trim();

function pace(): { readonly bytes: number; readonly ms: number } | undefined {
  const [bytes, ms] = readOrder().split(' ').map(Number);
  return bytes === undefined || ms === undefined ? undefined : { bytes, ms };
}

function carry(client: Socket): void {
  const mirror = connect({ host: '127.0.0.1', port: Number(target) });
  let freeBytes = FREE_BYTES;
  client.on('data', (request) => {
    freeBytes = FREE_BYTES;
    mirror.write(request);
  });
  client.on('end', () => mirror.end());
  client.on('error', () => mirror.destroy());
  client.on('close', () => mirror.destroy());
  mirror.on('error', () => client.destroy());
  mirror.on('end', () => client.end());
  mirror.on('readable', () => send());
  let isWaiting = false;
  const send = () => {
    if (isWaiting || client.destroyed) return;
    const slow = freeBytes > 0 || readOrder() === 'lie' ? undefined : pace();
    const wanted = Math.min(mirror.readableLength, slow?.bytes ?? (freeBytes > 0 ? freeBytes : Infinity));
    const chunk: Buffer | null = wanted === 0 ? null : mirror.read(wanted);
    if (chunk === null) return;
    if (freeBytes <= 0 && readOrder() === 'lie') chunk[0] = (chunk[0] ?? 0) ^ 1;
    freeBytes -= chunk.length;
    isWaiting = true;
    const next = () => {
      isWaiting = false;
      send();
    };
    client.write(chunk, () => setTimeout(next, slow?.ms ?? 0));
  };
  // What a pause of the mirror's side leaves unread has no event of its own.
  const poll = setInterval(send, IDLE_POLL_MS);
  client.once('close', () => clearInterval(poll));
}

createServer(carry).listen(Number(port), address, () => console.log('listening'));
