/**
 * The files that make Node start with a FIPS module: OpenSSL's module configuration (fips_config(5)) and the library
 * configuration around it (config(5)). Both are plain text made from the module's path and MAC, so a check compares
 * them byte by byte: a changed option, a deactivated module or another MAC is found.
 */
import { createHash, createHmac } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

export interface ModuleDigests {
  readonly sha256: string;
  /** HMAC-SHA-256 as `A6:02:...`, what the module computes of its own file at every load. */
  readonly mac: string;
}

/**
 * The key of that HMAC: no secret, it is compiled into every module and the same for `openssl fipsinstall`. The MAC finds
 * damage; who may change the module and this file together is not stopped by it.
 */
const MODULE_MAC_KEY = Buffer.from('f4556650ac31d35461610bac4ed81b1a181b2d8a43ea2854cbae22ca74560813', 'hex');

export function digestsOf(module: Uint8Array): ModuleDigests {
  const mac = createHmac('sha256', MODULE_MAC_KEY).update(module).digest('hex').toUpperCase();
  return {
    sha256: createHash('sha256').update(module).digest('hex'),
    mac: mac.match(/../g)!.join(':'),
  };
}

/**
 * The module configuration. Without `install-status` the module runs all known-answer tests at every load, as FIPS 140-3
 * demands (modules of 3.0 would skip them otherwise). `tls1-prf-ems-check`: TLS 1.2 only with extended master secret
 * (FIPS 140-3 IG D.Q); `drbg-no-trunc-md`: no truncated digests in random generators (IG D.R). Modules ignore what they do
 * not know.
 */
export function moduleConfigText(modulePath: string, mac: string): string {
  return `# Made by 'lockgate fips install'; do not edit, a changed file is refused.
[fips_sect]
activate = 1
module = ${modulePath}
install-version = 1
conditional-errors = 1
security-checks = 1
tls1-prf-ems-check = 1
drbg-no-trunc-md = 1
module-mac = ${mac}
`;
}

/**
 * The configuration Node reads (section `nodejs_conf`): the module and the provider `base`, which has encoders of key files
 * and no cryptography. Any other section would name other providers; there is none.
 */
export function libraryConfigText(moduleConfigPath: string): string {
  return `# Made by 'lockgate fips install'; do not edit, a changed file is refused.
nodejs_conf = lockgate_fips
openssl_conf = lockgate_fips

[lockgate_fips]
providers = lockgate_providers
alg_section = lockgate_algorithms

[lockgate_providers]
fips = fips_sect
base = base_sect

[base_sect]
activate = 1

[lockgate_algorithms]
default_properties = fips=yes

.include ${moduleConfigPath}
`;
}

/** True where OpenSSL's configuration language takes the path as it is: `$`, `\`, `#` and quotes have a meaning there. */
export function isPlainPath(path: string): boolean {
  return /^\/[\w./+@:~-]+$/.test(path);
}

/** Node's options for a start with this configuration. `strict` where the module has service indicators. */
export function fipsNodeOptions(libraryConfigPath: string, mode: 'strict' | 'provider'): readonly string[] {
  return [
    `--openssl-config=${libraryConfigPath}`,
    `--force-fips=${mode}`,
    ...(mode === 'strict' ? ['--enable-fips-indicator-events'] : []),
  ];
}

/** Options of the running Node without those that decide about OpenSSL: the new start has its own. */
export function withoutOpensslOptions(options: readonly string[]): string[] {
  const kept: string[] = [];
  for (let index = 0; index < options.length; index += 1) {
    const option = options[index]!;
    // The value may be an argument of its own.
    if (option === '--openssl-config') index += 1;
    else if (!/^--(openssl-|force-fips|enable-fips)/.test(option)) kept.push(option);
  }
  return kept;
}

/** Where modules are on this system, most specific first. */
export function systemModuleFiles(
  platform: NodeJS.Platform = process.platform,
  architecture: string = process.arch,
): readonly string[] {
  const file = platform === 'darwin' ? 'fips.dylib' : 'fips.so';
  const triplets: Readonly<Record<string, string>> = {
    x64: 'x86_64-linux-gnu',
    arm64: 'aarch64-linux-gnu',
  };
  const triplet = triplets[architecture];
  const folders =
    platform === 'darwin'
      ? ['/usr/local/lib', '/opt/homebrew/lib']
      : [
          '/usr/local/lib64',
          '/usr/local/lib',
          ...(triplet === undefined ? [] : [`/usr/lib/${triplet}`]),
          '/usr/lib64',
          '/usr/lib',
        ];
  return folders.map((folder) => join(folder, 'ossl-modules', file));
}

/** The module's file as it is mapped into this process (Linux); null: it cannot be told. */
export function mappedModulePath(): string | null {
  if (process.platform !== 'linux') return null;
  const paths = readFileSync('/proc/self/maps', 'latin1').matchAll(
    / (\/.*(?:\/ossl-modules\/|fips)[^/\n]*\.so)$/gm,
  );
  return paths.next().value?.[1] ?? null;
}

/** Whose build a module file is, as far as its surroundings tell; empty when they do not. */
export function originOf(modulePath: string): string {
  // PREFIX/lib/TRIPLET/ossl-modules/fips.so belongs to the package whose papers are in PREFIX/share/doc.
  const prefix = dirname(dirname(dirname(dirname(modulePath))));
  const papers = join(prefix, 'share', 'doc', 'openssl-provider-fips', 'changelog.Debian.gz');
  return existsSync(papers) ? 'Debian package openssl-provider-fips' : '';
}
