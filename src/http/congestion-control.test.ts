import { describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type CongestionControl,
  createCongestionControl,
  readCongestion,
  readSystemCongestion,
} from './congestion-control.ts';
import { IPPROTO_TCP, setSocketOption } from './socket-option.ts';

interface WithDescriptor {
  readonly fd: number;
}

const setCongestionOf = (fd: number, name: string) => setSocketOption(fd, 13, Buffer.from(name), IPPROTO_TCP);

/** The congestion control of a connection that was accepted on the loopback. */
async function ofAccepted(control: CongestionControl | undefined): Promise<string> {
  const accepted = Promise.withResolvers<string>();
  const server = Bun.listen({
    hostname: '127.0.0.1',
    port: 0,
    socket: {
      data() {},
      open(socket) {
        const { fd } = socket as unknown as WithDescriptor;
        control?.accepted(fd);
        accepted.resolve(readCongestion(fd));
      },
    },
  });
  control?.listening((server as unknown as WithDescriptor).fd);
  const client = await Bun.connect({ hostname: '127.0.0.1', port: server.port, socket: { data() {} } });
  try {
    return await accepted.promise;
  } finally {
    client.terminate();
    server.stop(true);
  }
}

describe('createCongestionControl()', () => {
  test('leaves all as it is where the system has no BBR', () => {
    expect(createCongestionControl({ configured: 'cubic', allowed: ['reno', 'cubic'] })).toBeUndefined();
    expect(createCongestionControl({ configured: '', allowed: [''] })).toBeUndefined();
  });

  test('leaves all as it is where nothing else may be chosen', () => {
    expect(createCongestionControl({ configured: 'bbr', allowed: ['bbr'] })).toBeUndefined();
  });

  test('takes the next best for near peers', async () => {
    const control = createCongestionControl({ configured: 'bbr', allowed: ['bbr', 'reno'] }, 1000);
    expect(await ofAccepted(control)).toBe('reno');
  });

  test('takes what the system has for peers that are far', async () => {
    // Whether this machine has BBR or not: what asking for it gives.
    const listening = (fd: number) => void setCongestionOf(fd, 'reno');
    const asked = { listening, accepted: (fd: number) => void setCongestionOf(fd, 'bbr') };
    const control = createCongestionControl({ configured: 'bbr', allowed: ['reno'] }, 0);
    expect(await ofAccepted(control)).toBe(await ofAccepted(asked));
    expect(await ofAccepted({ listening, accepted() {} })).toBe('reno');
  });
});

describe('readSystemCongestion()', () => {
  test('reads the files of the kernel', () => {
    const folder = mkdtempSync(join(tmpdir(), 'congestion-'));
    try {
      writeFileSync(join(folder, 'tcp_congestion_control'), 'bbr\n');
      writeFileSync(join(folder, 'tcp_allowed_congestion_control'), 'reno bbr cubic\n');
      expect(readSystemCongestion(folder)).toEqual({ configured: 'bbr', allowed: ['reno', 'bbr', 'cubic'] });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('knows nothing where there are none', () => {
    expect(readSystemCongestion('/nonexistent').configured).toBe('');
  });
});

test('readCongestion() is empty for a descriptor that is no socket', () => {
  expect(readCongestion(-1)).toBe('');
});
