/** Who may import whom (CONTRIBUTING.md), read from the sources themselves. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const FILES = globSync('{src,workers,crypto}/**/*.ts', { cwd: ROOT }).toSorted();

interface Import {
  readonly from: string;
  /** Project path, or the bare package or `node:` name. */
  readonly to: string;
  readonly typeOnly: boolean;
}

/** Static, re-exporting and dynamic imports; all of the project's are written with a literal. */
const IMPORT =
  /^\s*(?:import|export)\s+(type\s)?[^;'"]*?from\s+'([^']+)'|^\s*import\s+'([^']+)'|\bimport\('([^']+)'\)/gm;

function importsOf(file: string): Import[] {
  const text = readFileSync(join(ROOT, file), 'utf8');
  return [...text.matchAll(IMPORT)].map((match) => {
    const target = (match[2] ?? match[3] ?? match[4])!;
    const to = target.startsWith('.') ? relative(ROOT, resolve(join(ROOT, dirname(file)), target)) : target;
    return { from: file, to, typeOnly: match[1] !== undefined };
  });
}

const IMPORTS = FILES.flatMap(importsOf);

function violations(
  from: RegExp,
  forbidden: (to: string) => boolean,
  except: readonly string[] = [],
): string[] {
  return IMPORTS.filter((one) => from.test(one.from) && !except.includes(one.from) && forbidden(one.to)).map(
    (one) => `${one.from} -> ${one.to}`,
  );
}

const isOurs = (to: string): boolean => /^(src|workers|crypto)\//.test(to);

test('the sources are found, imports and all', () => {
  assert.ok(FILES.length > 80, `only ${FILES.length} files`);
  assert.ok(IMPORTS.some((one) => one.from === 'src/actor/rpc.ts' && one.to === 'comlink'));
});

test('src/util imports nothing of ours but itself', () => {
  assert.deepEqual(
    violations(/^src\/util\//, (to) => isOurs(to) && !to.startsWith('src/util/')),
    [],
  );
});

test('a wire folder is pure: no network, files, timers or logs', () => {
  const impure = /^node:(fs|fs\/promises|tls|timers|timers\/promises|dns|child_process|worker_threads)$/;
  assert.deepEqual(
    violations(/\/wire\//, (to) => impure.test(to) || to.startsWith('src/log/') || to === 'pino'),
    [],
  );
});

test('a wire folder takes only address arithmetic from node:net', () => {
  const taken = FILES.filter((file) => file.includes('/wire/')).flatMap((file) => {
    const names =
      /import \{([^}]*)\} from 'node:net'/.exec(readFileSync(join(ROOT, file), 'utf8'))?.[1] ?? '';
    return names.split(',').map((name) => name.trim());
  });
  assert.deepEqual(
    taken.filter((name) => name !== '' && !/^isIPv?[46]?$/.test(name)),
    [],
  );
});

test('crypto knows no protocol and no actor', () => {
  assert.deepEqual(
    violations(/^crypto\//, (to) => /^(workers|src\/(main|auth|cli|actor))\//.test(to)),
    [],
  );
});

test('workers never import the main actor, logins or the command line', () => {
  assert.deepEqual(
    violations(/^workers\//, (to) => /^src\/(main|auth|cli)\//.test(to)),
    [],
  );
});

test('src never imports workers', () => {
  assert.deepEqual(
    violations(/^src\//, (to) => to.startsWith('workers/')),
    [],
  );
});

test('what both sides share imports neither side', () => {
  assert.deepEqual(
    violations(/^src\/(config|log|actor)\//, (to) => /^(workers|src\/(main|auth|cli))\//.test(to)),
    [],
  );
});

/** In order; rooms of one row do not see each other. */
const ROWS = [['access'], ['vfs'], ['transfer'], ['login'], ['ftp', 'ssh'], ['sftp', 'scp'], ['session']];

/** Value imports from one room that `forbidden` names. */
function crossings(room: string, forbidden: (to: string) => boolean): string[] {
  return IMPORTS.filter(
    (one) => one.from.startsWith(`workers/${room}/`) && !one.typeOnly && forbidden(one.to),
  ).map((one) => `${one.from} -> ${one.to}`);
}

for (const [index, row] of ROWS.entries()) {
  for (const room of row) {
    test(`workers/${room} sees only the rooms before it`, () => {
      const others = [...row.filter((other) => other !== room), ...ROWS.slice(index + 1).flat()];
      assert.deepEqual(
        crossings(room, (to) => others.some((other) => to.startsWith(`workers/${other}/`))),
        [],
      );
    });
  }
}

for (const room of ['sftp', 'scp']) {
  test(`workers/${room} sees nothing of FTP, and of SSH only the channel`, () => {
    const door = /^workers\/ssh\/(ssh-channel|ssh-types)\.ts$/;
    assert.deepEqual(
      crossings(room, (to) => /^workers\/(ftp|ssh)\//.test(to) && !door.test(to)),
      [],
    );
  });
}

test('piscina and comlink each have one door', () => {
  const users = (name: string): string[] => [
    ...new Set(IMPORTS.filter((one) => one.to === name).map((one) => one.from)),
  ];
  assert.deepEqual(users('comlink'), ['src/actor/rpc.ts']);
  assert.deepEqual(users('piscina'), ['src/auth/password-pool.ts', 'src/main/session-pool.ts']);
});

test('no module imports itself in a circle', () => {
  const edges = new Map<string, string[]>();
  for (const one of IMPORTS) {
    if (one.typeOnly || !isOurs(one.to)) continue;
    edges.set(one.from, [...(edges.get(one.from) ?? []), one.to]);
  }
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): void => {
    assert.ok(!path.includes(file), `cycle: ${[...path.slice(path.indexOf(file)), file].join(' -> ')}`);
    if (done.has(file)) return;
    for (const next of edges.get(file) ?? []) visit(next, [...path, file]);
    done.add(file);
  };
  for (const file of FILES) visit(file, []);
});

test('calls that take or give a name of the file system have one door in workers/vfs', () => {
  const named =
    /^(?:l?stat|statfs|open|opendir|readdir|readlink|realpath|(?:un|sym)?link|rename|mkdir|rmdir|rm|truncate|(?:read|write|copy)File|exists|access|l?(?:chmod|chown|utimes))Sync$/;
  // The account files' own paths are the administrator's.
  const doors = ['workers/vfs/path-calls.ts', 'workers/vfs/owner-names.ts'];
  const inVfs = FILES.filter((file) => file.startsWith('workers/vfs/') && !doors.includes(file));
  assert.ok(inVfs.length > 20);
  for (const file of inVfs) {
    const text = readFileSync(join(ROOT, file), 'utf8');
    const lists = [...text.matchAll(/import \{([^}]*)\} from 'node:fs'/g)].map((match) => match[1]!);
    const names = lists
      .join(',')
      .split(',')
      .map((name) => name.trim());
    assert.deepEqual(
      names.filter((name) => named.test(name)),
      [],
      file,
    );
  }
});
