import { readFileSync } from 'node:fs';
import { getSocketText, IPPROTO_TCP, setSocketOption, shortestRoundTripMs } from './socket-option.ts';

/*
 * BBR spaces what it sends by a timer for each few segments. Within a cluster that gains nothing, and costs twice the CPU per
 * byte and half the rate (docs/TRANSPORT.md). So what is sent to near peers is sent with CUBIC where the system's choice is BBR.
 */

/** Linux, tcp.h. */
const TCP_CONGESTION = 13;
/** A peer with a longer round trip, in ms, is in another region: the system knows better what suits the way there. */
const FAR_MS = 5;

/** Congestion control of the connections of a listening socket. */
export interface CongestionControl {
  /** Sets it for the connections to come. */
  listening(fd: number): void;
  /** Sets the system's for a peer that is far. Called before anything is sent. */
  accepted(fd: number): void;
}

/** What the system says of its congestion control: the files of proc_sys_net(5). */
export interface SystemCongestion {
  /** What connections get by themselves; empty if it cannot be known. */
  readonly configured: string;
  /** What may be chosen without privileges. */
  readonly allowed: readonly string[];
}

/** Reads it; it is that of this process's network namespace. */
export function readSystemCongestion(folder = '/proc/sys/net/ipv4'): SystemCongestion {
  const read = (name: string) => {
    try {
      return readFileSync(`${folder}/${name}`, 'latin1').trim();
    } catch {
      return '';
    }
  };
  return {
    configured: read('tcp_congestion_control'),
    allowed: read('tcp_allowed_congestion_control').split(' '),
  };
}

/** Undefined where the system's choice is good for all. */
export function createCongestionControl(
  { configured, allowed }: SystemCongestion,
  farMs = FAR_MS,
): CongestionControl | undefined {
  // CUBIC is Linux's own default. Reno is in every kernel.
  const near = ['cubic', 'reno'].find((name) => allowed.includes(name));
  if (!configured.startsWith('bbr') || near === undefined) return undefined;
  return {
    listening: (fd) => void setCongestion(fd, near),
    accepted(fd) {
      if ((shortestRoundTripMs(fd) ?? Infinity) >= farMs) setCongestion(fd, configured);
    },
  };
}

/** The congestion control of a TCP socket; empty if it cannot be known. */
export function readCongestion(fd: number): string {
  return getSocketText(fd, TCP_CONGESTION, IPPROTO_TCP);
}

function setCongestion(fd: number, name: string): boolean {
  return setSocketOption(fd, TCP_CONGESTION, Buffer.from(name, 'latin1'), IPPROTO_TCP);
}
