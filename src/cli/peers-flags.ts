import { endpointFlag, booleanFlag } from './flag-kinds.ts';

/** The flags of `spegel peers` and `spegel peers find`. */
export const peersFlags = {
  addr: endpointFlag('metrics address of the running spegel', '127.0.0.1:9090'),
  json: booleanFlag('print JSON', false),
};
