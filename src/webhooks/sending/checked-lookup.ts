import type { LookupAddress } from 'node:dns';
import { Resolver } from 'node:dns/promises';
import { isIP, type LookupFunction } from 'node:net';
import { isAddressIn, isAllowedAddress } from '../../domain/target-address.ts';

const DNS = { timeout: 2000, tries: 2 };

/** The addresses of a name. */
export type ResolveHost = (name: string) => Promise<readonly string[]>;

/** Webhooks are not sent there. */
export class AddressNotAllowed extends Error {
  override name = 'AddressNotAllowed';
}

/**
 * Asks DNS without a thread of Node's pool: there a server of names that does not answer would hold up
 * argon2. A new resolver knows the current resolv.conf. Names of the hosts file are not known.
 */
export const resolveByDns: ResolveHost = async (name) => {
  const resolver = new Resolver(DNS);
  const answers = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)]);
  return answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
};

/** Whether a webhook may be sent to an address: https to public ones, the rest to allowed networks alone. */
export type IsAllowed = (address: string) => boolean;

export function allowedFor({ protocol }: URL, networks: readonly string[]): IsAllowed {
  if (protocol === 'https:') return (address) => isAllowedAddress(address, networks);
  return (address) => isAddressIn(address, networks);
}

/** An address in place of a name is never looked up. */
export function requireAllowedLiteral({ hostname }: URL, isAllowed: IsAllowed): void {
  const host = hostname.replace(/^\[|\]$/g, '');
  if (isIP(host) !== 0 && !isAllowed(host)) throw new AddressNotAllowed();
}

/**
 * What a connection looks its name up with: the addresses that are checked are the ones that it connects
 * to, for it looks up once. One address that is not allowed refuses the name.
 */
export function checkedLookup(resolve: ResolveHost, isAllowed: IsAllowed): LookupFunction {
  return (name, { all }, done) => {
    resolveChecked(name, resolve, isAllowed).then(
      ([first, ...others]) => {
        if (all) done(null, [first, ...others]);
        else done(null, first.address, first.family);
      },
      (error) => done(error, ''),
    );
  };
}

/** The name has no address. */
export class NameNotResolved extends Error {
  override name = 'NameNotResolved';
}

async function resolveChecked(
  name: string,
  resolve: ResolveHost,
  isAllowed: IsAllowed,
): Promise<[LookupAddress, ...LookupAddress[]]> {
  const addresses = await resolve(name);
  if (!addresses.every(isAllowed)) throw new AddressNotAllowed();
  const [first, ...others] = addresses.map((address) => ({ address, family: isIP(address) }));
  if (first === undefined) throw new NameNotResolved();
  return [first, ...others];
}
