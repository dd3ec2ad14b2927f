import { hash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { stripTypeScriptTypes } from 'node:module';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { constants, gzip } from 'node:zlib';

const PAGE = fileURLToPath(new URL('page/', import.meta.url));
const BASE = '/console/assets/';
/** The libraries of the page, by the names under which it imports them. */
const LIBRARIES = [
  'preact',
  'preact/hooks',
  '@preact/signals',
  '@preact/signals-core',
  'htm',
  'htm/preact',
  'openapi-fetch',
];
const TYPES: Record<string, string> = {
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

interface Asset {
  type: string;
  body: Buffer;
  compressed: Buffer;
}

export interface Console {
  /** By path; each has the hash of its content in its name. */
  assets: ReadonlyMap<string, Asset>;
  html: string;
  /** The Content-Security-Policy of the page. */
  policy: string;
}

/**
 * The page's files, as they are: types are stripped, and an import map leads from the names of modules
 * to files with the hash of their content, which browsers keep for ever.
 */
export async function loadConsole(): Promise<Console> {
  const assets = new Map<string, Asset>();
  const imports: Record<string, string> = {};
  const add = async (name: string, type: string, text: string) => {
    const path = `${BASE}${hashed(name, type, text)}`;
    assets.set(path, await assetOf(TYPES[type] ?? '', text));
    return path;
  };
  for (const library of LIBRARIES) {
    const text = await readFile(new URL(import.meta.resolve(library)), 'utf8');
    imports[library] = await add(library.replaceAll(/\W+/g, '-'), '.js', withoutMap(text));
  }
  const styles: string[] = [];
  for (const file of await readdir(PAGE, { recursive: true })) {
    const type = extname(file);
    if (!['.ts', '.css', '.svg'].includes(type) || file.endsWith('.d.ts')) continue;
    const text = await readFile(`${PAGE}${file}`, 'utf8');
    const name = file.slice(0, -type.length);
    if (type === '.ts') imports[`${BASE}${file}`] = await add(name, '.js', stripTypes(text));
    else if (type === '.css') styles.push(await add(name, type, text));
    else imports[`${BASE}${file}`] = await add(name, type, text);
  }
  const map = JSON.stringify({ imports });
  const template = await readFile(`${PAGE}index.html`, 'utf8');
  const html = template
    .replace(
      '%styles%',
      styles
        .sort()
        .map((path) => `<link rel="stylesheet" href="${path}">`)
        .join(''),
    )
    .replace('%imports%', () => map)
    .replace('%main%', `${imports[`${BASE}main.ts`]}`)
    .replace('%icon%', `${imports[`${BASE}icon.svg`]}`);
  return { assets, html, policy: policyOf(map) };
}

/** Nothing but what this server serves runs, is shown or is asked. */
function policyOf(importMap: string): string {
  const digest = hash('sha256', importMap, 'base64');
  return [
    "default-src 'none'",
    `script-src 'self' 'sha256-${digest}'`,
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
  ].join('; ');
}

function hashed(name: string, type: string, text: string): string {
  return `${name}.${hash('sha256', text, 'hex').slice(0, 12)}${type}`;
}

const compress = promisify(gzip);

async function assetOf(type: string, text: string): Promise<Asset> {
  const body = Buffer.from(text);
  return { type, body, compressed: await compress(body, { level: constants.Z_BEST_COMPRESSION }) };
}

/** As Node does with the server's own files. That the function may still change is no news to operators. */
function stripTypes(text: string): string {
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    return stripTypeScriptTypes(text);
  } finally {
    process.emitWarning = emitWarning;
  }
}

function withoutMap(text: string): string {
  return text.replace(/\n\/\/# sourceMappingURL=.*\s*$/, '\n');
}
