import { readFile } from 'node:fs/promises';
import type { Answer, Line } from '../http.ts';

/** A client's request as a gateway has read it. */
export interface ClientRequest {
  method: string;
  path: string;
  address: string;
  headers: readonly Line[];
}

/** What a gateway sends to Keyward about it. */
interface Question {
  method: string;
  path: string;
  headers: readonly Line[];
}

/** Acts as the documentation of a program says that it does with the files of deploy/. */
export interface DocumentedGateway {
  name: string;
  ask: (client: ClientRequest, managementKey: string) => Promise<Question>;
  /** The status that the client gets; null if the request goes on to the API. */
  refusal: (answer: Answer) => number | null;
  /** What the API gets of a request that goes on. */
  headersForApi: (client: ClientRequest, answer: Answer) => Promise<readonly Line[]>;
  /** What the client of a request that goes on gets of Keyward's answer. */
  toldOnSuccess: readonly string[];
  /** What a limited client gets; 429 where the program has a way. */
  limitedStatus: number;
  /** What every client gets if the gateway's own credential is wrong. */
  faultStatus: number;
  /** Whether the question can name the client's address. */
  namesAddress: boolean;
  handsKeyOn: boolean;
}

export function deployed(file: string): Promise<string> {
  return readFile(new URL(`../../../deploy/${file}`, import.meta.url), 'utf8');
}

export function without(headers: readonly Line[], names: readonly string[]): Line[] {
  const removed = new Set(names.map((name) => name.toLowerCase()));
  return headers.filter(([name]) => !removed.has(name.toLowerCase()));
}

export function only(headers: readonly Line[], names: readonly string[]): Line[] {
  const kept = new Set(names.map((name) => name.toLowerCase()));
  return headers.filter(([name]) => kept.has(name.toLowerCase()));
}

/** Sets headers over those that are there; an empty value removes one. */
export function overwrite(headers: readonly Line[], set: Record<string, string>): Line[] {
  const added = Object.entries(set).filter(([, value]) => value !== '');
  return [...without(headers, Object.keys(set)), ...added];
}

/** The named headers of an answer; one that is missing is empty. */
export function taken(answer: Answer, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    names.map((name) => [name, String(answer.headers[name.toLowerCase()] ?? '')]),
  );
}

export function named<Item>(items: readonly Item[], isIt: (item: Item) => boolean): Item {
  const item = items.find(isIt);
  if (item === undefined) throw new Error('nothing in the file matches');
  return item;
}

export const forwardedOf = ({ method, path, address }: ClientRequest): Record<string, string> => ({
  'X-Forwarded-Method': method,
  'X-Forwarded-Proto': 'http',
  'X-Forwarded-Host': 'api.example.com',
  'X-Forwarded-Uri': path,
  'X-Forwarded-For': address,
});
