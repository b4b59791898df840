import { testBodyMover } from './body-mover.conformance.ts';
import { createHttpServer } from './plain-http-server.ts';
import { createPlainMover } from './plain-mover.ts';

testBodyMover('createPlainMover()', () => ({
  mover: createPlainMover(),
  serve: (handler, onError) => createHttpServer({ address: '127.0.0.1:0', handler, onError }),
}));
