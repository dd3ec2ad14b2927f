import type { Instance } from './instance.ts';

/** Pauses the hashes of an instance; `begun` resolves when `count` of them wait. */
export function pauseHashing({ service }: Instance, count = 1) {
  const { hasher } = service.internals;
  const hash = hasher.hash.bind(hasher);
  const begun = Promise.withResolvers<void>();
  const resumed = Promise.withResolvers<void>();
  let paused = 0;
  hasher.hash = async (...parameters) => {
    if (++paused === count) begun.resolve();
    await resumed.promise;
    return hash(...parameters);
  };
  const resume = () => {
    hasher.hash = hash;
    resumed.resolve();
  };
  return { begun: begun.promise, resume };
}
