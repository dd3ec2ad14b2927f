import { spawnSync } from 'node:child_process';

interface Tool {
  /** Succeeds where it is installed. */
  check: string;
  debian: readonly string[];
}

const program = (name: string, ...debian: string[]): Tool => ({
  check: `command -v ${name}`,
  debian,
});

/** Programs that only some suites need. */
const TOOLS = {
  nginx: program('nginx', 'nginx-light'),
  caddy: program('caddy', 'caddy'),
  haproxy: program('haproxy', 'haproxy'),
  pgbouncer: program('pgbouncer', 'pgbouncer'),
  chromium: program('chromium', 'chromium'),
  prometheus: program('prometheus', 'prometheus'),
  promtool: program('promtool', 'prometheus'),
  go: program('go', 'golang-go'),
  python: {
    // Debian's own, which has Debian's packages, if another one comes first on the PATH.
    check: `PATH="/usr/bin:$PATH" python3 -c 'import httpx, fastapi, django, pytest'`,
    debian: ['python3-httpx', 'python3-fastapi', 'python3-django', 'python3-pytest'],
  },
  postgres: {
    check: 'ls /usr/lib/postgresql/*/bin/pg_basebackup',
    debian: ['postgresql'],
  },
  podman: program('podman', 'podman', 'runc', 'buildah', 'netavark', 'aardvark-dns', 'iptables'),
  debootstrap: program('debootstrap', 'debootstrap'),
  unzip: program('unzip', 'unzip'),
  // A clone without its history has no earlier state of the code.
  'git history': {
    check: 'git rev-parse --verify "$(git log -1 --first-parent --format=%H -- migrations)^"',
    debian: [],
  },
} satisfies Record<string, Tool>;

export type ToolName = keyof typeof TOOLS;

export function isInstalled(name: ToolName): boolean {
  return spawnSync(TOOLS[name].check, { shell: true, stdio: 'ignore' }).status === 0;
}

/** Installs what is missing, each by itself, where that is possible: as root on Debian. */
export function install(names: readonly ToolName[]): void {
  const missing = names.filter((name) => TOOLS[name].debian.length > 0 && !isInstalled(name));
  if (missing.length === 0 || process.getuid?.() !== 0 || !aptGet(['update', '-q'])) return;
  for (const name of missing) {
    const options = ['-y', '-q', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=120'];
    const isDone = aptGet(['install', ...options, ...TOOLS[name].debian]);
    process.stdout.write(`== ${isDone ? 'installed' : 'could not install'} ${name}\n`);
  }
}

function aptGet(parameters: readonly string[]): boolean {
  // RUNLEVEL: none of them is started as a service.
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  const options = { env, stdio: 'ignore', timeout: 300_000 } as const;
  return spawnSync('apt-get', parameters, options).status === 0;
}
