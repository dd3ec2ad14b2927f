import { registerHooks } from 'node:module';

/**
 * Halves the time of a start. For each import inside a package, Node parses the `exports` of its
 * package.json once more, and those of Drizzle have 180 KB: what its files import is found without.
 */
registerHooks({
  resolve: (specifier, context, next) =>
    specifier.startsWith('.') && context.parentURL?.includes('/node_modules/drizzle-orm/')
      ? { url: new URL(specifier, context.parentURL).href, format: 'module', shortCircuit: true }
      : next(specifier, context),
});
