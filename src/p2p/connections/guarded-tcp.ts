import type { Transport } from '@libp2p/interface';
import type { TCPComponents } from '@libp2p/tcp';

import { abortableTcp } from '../patches/abortable-tcp.ts';
import type { Door } from './door.ts';
import { GuardedListener } from './guarded-listener.ts';
import type { Membership } from '../../membership/membership.ts';

/** TCP with a door in front of what libp2p does with a new connection. */
export function guardedTcp(
  door: Door,
  membership: Pick<Membership, 'standing'>,
): (components: TCPComponents) => Transport {
  const create = abortableTcp();
  return (components) => {
    const transport = create(components);
    const { logger } = components;
    transport.createListener = ({ upgrader }) => new GuardedListener({ door, membership, upgrader, logger });
    return transport;
  };
}
