// What kad-dht still does: it tells libp2p, and with it other nodes, that this node speaks the protocol of the DHT.
import type { StreamHandler, StreamHandlerOptions } from '@libp2p/interface';
import { type KadDHT, type KadDHTComponents, kadDHT } from '@libp2p/kad-dht';

import { KAD_PROTOCOL, MAX_DHT_STREAMS } from './limits.ts';

/** Streams that this node opens to a peer. */
const MAX_OUTBOUND_STREAMS = 64;
/** kad-dht's own cycles, of providing again and of looking for itself: src/dht does that, and these find nothing to do. */
const DHT_INTERVAL_MS = 24 * 60 * 60 * 1000;

type Registrar = KadDHTComponents['registrar'];

/**
 * Makes kad-dht as a service of libp2p that never learns of a peer, and whose streams `onStream` handles. So it has
 * nothing to walk, to probe or to tag; src/dht decides all of that. Its own handler takes a millisecond of CPU for each
 * question and 0.2 for each record, most of them in the peer store and in parsing addresses.
 */
export function idleKadDht(onStream: StreamHandler): (components: KadDHTComponents) => KadDHT {
  const create = kadDHT({
    protocol: KAD_PROTOCOL,
    clientMode: false,
    allowQueryWithZeroPeers: true,
    maxInboundStreams: MAX_DHT_STREAMS,
    maxOutboundStreams: MAX_OUTBOUND_STREAMS,
    querySelfInterval: DHT_INTERVAL_MS,
    initialQuerySelfInterval: DHT_INTERVAL_MS,
    reprovide: { interval: DHT_INTERVAL_MS },
  });
  return (components) =>
    create(
      withRegistrar(components, (registrar) => ({
        ...handledBy(onStream, registrar),
        // The topology of a protocol is how a service learns which peers speak it.
        register: { value: async () => 'none' },
        unregister: { value: () => {} },
      })),
    );
}

/** A service of libp2p whose own handler of its protocol's streams is replaced. */
export function answeredBy<C extends { readonly registrar: Registrar }, S>(
  onStream: StreamHandler,
  create: (components: C) => S,
): (components: C) => S {
  return (components) => create(withRegistrar(components, (registrar) => handledBy(onStream, registrar)));
}

function handledBy(onStream: StreamHandler, registrar: Registrar): PropertyDescriptorMap {
  const handle: Registrar['handle'] = async (
    protocol: string,
    _handler: StreamHandler,
    options?: StreamHandlerOptions,
  ) => registrar.handle(protocol, onStream, options);
  return { handle: { value: handle } };
}

/** The components with some members of the registrar replaced. */
function withRegistrar<C extends { readonly registrar: Registrar }>(
  components: C,
  replace: (registrar: Registrar) => PropertyDescriptorMap,
): C {
  const replaced: Registrar = Object.create(components.registrar, replace(components.registrar));
  return new Proxy(components, {
    get: (target, name, receiver) =>
      name === 'registrar' ? replaced : (Reflect.get(target, name, receiver) as unknown),
  });
}
