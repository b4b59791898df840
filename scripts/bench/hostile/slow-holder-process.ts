/** A peer with content that it sends as slowly as it is told to: started with the path of its control socket. */
import { readFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import { serveControl } from '../cluster/control.ts';
import { encodeAddProvider, ipv4Multiaddr, multihashOf } from '../records/dht-messages.ts';
import { createLightIdentity } from './light-identity.ts';
import { connectLightPeer, KAD } from './light-peer.ts';
import { createNoiseKey } from './noise-session.ts';
import type { DripRate, SlowHolderCommands } from './player-commands.ts';

const ROUTER_PORT = 5001;

let slowRequests = 0;
let stop = () => {};

const [socketPath = ''] = process.argv.slice(2);
serveControl<SlowHolderCommands>(socketPath, {
  async start({ host, port, address, registryPort, rate, blobs }) {
    const byDigest = new Map(
      blobs.map(({ digest, file, ...blob }) => [digest, { ...blob, digest, bytes: readFileSync(file) }]),
    );
    const server = createServer((request, response) => {
      const digest = /\/(sha256:[0-9a-f]{64})/.exec(request.url ?? '')?.[1] ?? '';
      const blob = byDigest.get(digest);
      if (blob === undefined) {
        response.writeHead(404).end();
        return;
      }
      const from = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
      const size = blob.bytes.length;
      response.writeHead(request.headers.range === undefined ? 200 : 206, {
        'Content-Type': blob.mediaType,
        'Content-Length': size - from,
        'Docker-Content-Digest': digest,
        ...(request.headers.range === undefined
          ? {}
          : { 'Content-Range': `bytes ${from}-${size - 1}/${size}` }),
      });
      if (request.method === 'HEAD') response.end();
      else if (blob.isSlow) drip(response, blob.bytes.subarray(from), rate);
      else response.end(blob.bytes.subarray(from));
    });
    await new Promise<void>((resolve) => server.listen(registryPort, address, resolve));
    const identity = createLightIdentity();
    const peer = await connectLightPeer({
      identity,
      key: createNoiseKey(),
      host,
      port,
      localAddress: address,
      announced: address,
    });
    const stream = await peer.open(KAD);
    for (const { digest } of blobs) {
      const key = multihashOf(digest);
      await stream.send(encodeAddProvider(key, identity.id, ipv4Multiaddr(address, ROUTER_PORT)));
    }
    stop = () => {
      peer.close();
      server.closeAllConnections();
      server.close();
    };
  },
  requests: async () => slowRequests,
  async stop() {
    stop();
    stop = () => {};
    slowRequests = 0;
  },
});

function drip(response: ServerResponse, bytes: Uint8Array, { chunkBytes, everyMs }: DripRate): void {
  slowRequests++;
  response.flushHeaders();
  let sent = 0;
  const timer = setInterval(() => {
    const part = bytes.subarray(sent, sent + chunkBytes);
    sent += part.length;
    if (part.length === 0) {
      clearInterval(timer);
      response.end();
    } else response.write(part);
  }, everyMs);
  response.on('close', () => clearInterval(timer));
}
