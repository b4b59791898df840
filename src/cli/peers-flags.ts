import { endpointFlag, booleanFlag } from './flag-kinds.ts';

/** For every command whose text has to fit a line. */
export const wideFlag = booleanFlag('write all of each name, in lines as long as that needs', false);

/** The flags of `spegel peers` and of the commands below it, and of `spegel why`. */
export const peersFlags = {
  addr: endpointFlag('metrics address of the running spegel', '127.0.0.1:9090'),
  json: booleanFlag('print JSON', false),
  wide: wideFlag,
};
