import { createFlights, type Flights, type FlightsDeps } from '../flights/flights.ts';
import type { RegistryOptions } from './registry-options.ts';

/** The flights of the node; undefined where they are off. */
export function createNodeFlights(
  deps: Omit<FlightsDeps, 'adoptsDownloads'>,
  {
    flightsEnabled,
    mirroredRegistries,
    registryFilters,
  }: Pick<RegistryOptions, 'flightsEnabled' | 'mirroredRegistries' | 'registryFilters'>,
): Flights | undefined {
  if (!flightsEnabled) return undefined;
  // Whose download it is that this process was not asked for, and whether it may be shared, cannot be told then.
  const adoptsDownloads = mirroredRegistries === undefined && registryFilters.length === 0;
  return createFlights({ ...deps, adoptsDownloads });
}
