import type { Containerd } from './containerd.ts';
import { waitFor } from './wait-for.ts';

/** A layer that no pull gets. */
export interface HeldLayer extends AsyncDisposable {
  /** Lets pulls have the layer; returns once they can. */
  release(): Promise<void>;
}

/**
 * Keeps pulls of an image from their end for as long as it takes: they wait for this layer while they get all others.
 * containerd has one writer for each layer at a time, and this is it. It writes nothing.
 */
export async function holdLayer(containerd: Containerd, digest: string): Promise<HeldLayer> {
  // The name that every pull gives its writer.
  const name = `layer-${digest}`;
  const child = Bun.spawn(
    ['setpriv', '--pdeathsig', 'KILL', ...containerd.ctrCommand(['content', 'ingest', name])],
    // It opens the writer, then waits for bytes.
    { stdin: 'pipe', stdout: 'ignore', stderr: 'ignore' },
  );
  const release = async (): Promise<void> => {
    child.kill('SIGKILL');
    await child.exited;
  };
  try {
    await waitFor(`the writer of ${name}`, async () =>
      (await containerd.ctr(['content', 'active'])).includes(name),
    );
  } catch (error) {
    await release();
    throw error;
  }
  return { release, [Symbol.asyncDispose]: release };
}
