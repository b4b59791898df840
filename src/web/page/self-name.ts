import type { LiveHealth } from '../live-report.ts';

/** What this node is called: its name, else its first IP address, else the end of its ID. */
export function selfName({ self }: Pick<LiveHealth, 'self'>): string {
  if (self.name !== undefined) return self.name;
  for (const address of self.addresses) {
    const [, ip] = /^\/ip[46]\/([0-9a-f.:]+)\//i.exec(address) ?? [];
    if (ip !== undefined) return ip;
  }
  return `…${self.id.slice(-8)}`;
}
