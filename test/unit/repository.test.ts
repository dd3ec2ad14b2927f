import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';

const ROOT = join(import.meta.dirname, '../..');
const WORKFLOWS = '.github/workflows';
const FORMS = '.github/ISSUE_TEMPLATE';

interface Step {
  uses?: string;
  run?: string;
  with?: Record<string, unknown>;
}

interface Job {
  permissions?: Record<string, string>;
  uses?: string;
  'timeout-minutes'?: number;
  defaults?: { run: { 'working-directory': string } };
  steps?: Step[];
}

interface Workflow {
  on: Record<string, unknown>;
  permissions?: Record<string, string>;
  concurrency?: object;
  jobs: Record<string, Job>;
}

interface Form {
  name: string;
  description: string;
  body: { type: string; id?: string; attributes: Record<string, unknown> }[];
}

const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const workflowOf = (name: string): Workflow => parse(read(join(WORKFLOWS, name)));
const workflows = readdirSync(join(ROOT, WORKFLOWS));
const jobs = workflows.flatMap((name) =>
  Object.entries(workflowOf(name).jobs).map(([id, job]): [string, Job] => [`${name} ${id}`, job]),
);
const steps = jobs.flatMap(([where, job]) =>
  (job.steps ?? []).map((step) => ({ where, folder: folderOf(job), ...step })),
);

function folderOf(job: Job): string {
  return job.defaults?.run['working-directory'] ?? '.';
}

/** The scripts of a package, or null where it has none yet. */
function scriptsOf(folder: string): Record<string, string> | null {
  const path = join(folder, 'package.json');
  return existsSync(join(ROOT, path)) ? JSON.parse(read(path)).scripts : null;
}

describe('the workflows', () => {
  it.each(workflows)(
    '%s grants no permission to all of its jobs but to read, and says when a run replaces another',
    (name) => {
      const { permissions, concurrency } = workflowOf(name);
      expect([{}, { contents: 'read' }]).toContainEqual(permissions);
      expect(concurrency).toBeDefined();
    },
  );

  it.each(jobs)(
    'the job %s has permissions of its own or those of its workflow, and ends by itself',
    (_where, job) => {
      const grants = Object.values(job.permissions ?? {});
      expect(grants.filter((grant) => grant !== 'read' && grant !== 'write')).toEqual([]);
      expect(job.uses === undefined ? job['timeout-minutes'] : 1).toBeGreaterThan(0);
    },
  );

  it('no workflow runs with the rights of the repository on the code of a pull request', () => {
    const triggers = workflows.flatMap((name) => Object.keys(workflowOf(name).on));
    expect(triggers).not.toContain('pull_request_target');
    expect(triggers).not.toContain('workflow_run');
  });

  it('every action of others is pinned by the hash of its commit, with the version beside it', () => {
    const lines = workflows.flatMap((name) => read(join(WORKFLOWS, name)).match(/uses: .*/g) ?? []);
    const pinned = /^uses: (\.\/|[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$)/;
    expect(lines.filter((line) => !pinned.test(line))).toEqual([]);
  });

  it('no checkout leaves its token behind for later steps', () => {
    const checkouts = steps.filter(({ uses }) => uses?.startsWith('actions/checkout@'));
    expect(checkouts.length).toBeGreaterThan(0);
    expect(checkouts.filter((step) => step.with?.['persist-credentials'] !== false)).toEqual([]);
  });

  it('no command has an expression in it, into which a branch or a title could write', () => {
    expect(steps.filter(({ run }) => run?.includes('${{'))).toEqual([]);
  });

  it('every script that a workflow names is one of package.json or a file', () => {
    const named = steps.flatMap(({ where, folder, run = '' }) => [
      ...[...run.matchAll(/npm run (?:--silent )?([\w:-]+)/g)].flatMap(([, script = '']) => {
        const scripts = scriptsOf(folder);
        return scripts === null || script in scripts ? [] : [`${where}: npm run ${script}`];
      }),
      ...[...run.matchAll(/(?:^|\s)((?:\.ci|scripts)\/[\w.-]+)/g)].flatMap(([, path = '']) =>
        existsSync(join(ROOT, path)) ? [] : [`${where}: ${path}`],
      ),
    ]);
    expect(named).toEqual([]);
  });
});

describe('the forms', () => {
  const forms = readdirSync(join(ROOT, FORMS)).filter((name) => name !== 'config.yml');

  it.each(forms)(
    'the form %s has a name, fields that GitHub knows with ids of their own, and asks for something',
    (name) => {
      const form: Form = parse(read(join(FORMS, name)));
      expect(form).toMatchObject({ name: expect.any(String), description: expect.any(String) });
      const fields = form.body.filter(({ type }) => type !== 'markdown');
      const known = ['textarea', 'input', 'dropdown', 'checkboxes'];
      expect(fields.filter(({ type }) => !known.includes(type))).toEqual([]);
      const ids = fields.map(({ id }) => id);
      expect([...new Set(ids)]).toEqual(ids);
      expect(fields.every(({ attributes }) => typeof attributes.label === 'string')).toBe(true);
      expect(read(join(FORMS, name))).toContain('required: true');
    },
  );

  it('the list of forms points reports of vulnerabilities to the private way, and has no blank issue to write them in', () => {
    const config = parse(read(join(FORMS, 'config.yml')));
    expect(config.blank_issues_enabled).toBe(false);
    expect(config.contact_links[0].url).toMatch(/^https:.*privately-reporting/);
  });
});

it('Dependabot looks at every package, Dockerfile, compose file and workflow of the repository', () => {
  const { updates } = parse(read('.github/dependabot.yml'));
  const packages = globSync(['package.json', '{clients,examples,test}/*/package.json'], {
    cwd: ROOT,
  });
  const watched = updates.flatMap(
    (one: { 'package-ecosystem': string; directory?: string; directories?: string[] }) =>
      (one.directories ?? [one.directory]).map((folder) => `${one['package-ecosystem']} ${folder}`),
  );
  expect(watched).toEqual(
    expect.arrayContaining([
      ...packages.map((file) => `npm /${dirname(file)}`.replace(/\/\.$/, '/')),
      ...['pip /clients/python', 'gomod /clients/go', 'docker /', 'github-actions /'],
      ...['docker-compose /', 'docker-compose /deploy/observability'],
    ]),
  );
});
