import { silentLogger } from '../observe/log.ts';
import { describeRouter } from '../routing/router.conformance.ts';
import { systemClock } from '../runtime/clock.ts';
import type { Bootstrapper } from '../bootstrap/bootstrapper.ts';
import { loadIdentity } from './identity.ts';
import { createP2pRouter } from './p2p-router.ts';
import type { P2pRouter } from './p2p-router-contract.ts';
import { createStaticBootstrapper } from '../bootstrap/static-bootstrapper.ts';

async function startRouter(bootstrapper: Bootstrapper): Promise<P2pRouter> {
  const deps = { logger: silentLogger, clock: systemClock, bootstrapper, privateKey: await loadIdentity() };
  return createP2pRouter(deps, {
    listenAddress: '127.0.0.1:0',
    announceAddresses: ['127.0.0.1'],
    allowLoopback: true,
  });
}

function addressOf(router: P2pRouter): string {
  const { id, multiaddrs } = router.self();
  return `${multiaddrs[0]}/p2p/${id}`;
}

describeRouter('p2p router', async () => {
  await using stack = new AsyncDisposableStack();
  const first = stack.use(await startRouter(createStaticBootstrapper([])));
  const started: P2pRouter[] = [];
  const join = async () => {
    const router = await startRouter(createStaticBootstrapper([addressOf(first)]));
    started.push(router);
    return router;
  };
  const routers = [first, await join(), await join()];
  const kept = stack.move();
  return {
    routers,
    join,
    async [Symbol.asyncDispose]() {
      await Promise.all(started.map(async (router) => router[Symbol.asyncDispose]()));
      await kept[Symbol.asyncDispose]();
    },
  };
});
