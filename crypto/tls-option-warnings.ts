/** What a TLS configuration says that an operator should not learn from failing clients. */
import type { Settings } from '../src/config/server-config.ts';
import { offeredVersions } from './tls-configuration.ts';
import { usableVersions } from './tls-context.ts';

/** TLSProtocol against what the profile and the security level offer. */
export function versionWarnings(settings: Settings): string[] {
  const warnings: string[] = [];
  const weakAllowed = settings.tlsOptions.includes('AllowWeakSecurity');
  const usable = usableVersions(settings.tlsProtocol, weakAllowed);
  const refused = settings.tlsProtocol.filter((version) => !(usable as readonly string[]).includes(version));
  const name = settings.serverName;
  for (const version of refused) {
    const way = version === 'SSLv3' ? '' : ' (see the AllowWeakSecurity TLSOptions parameter)';
    warnings.push(
      `${name}: TLSProtocol ${version} is not offered: the security level does not allow it${way}`,
    );
  }
  if (usable.length === 0) {
    warnings.push(`${name}: TLSProtocol leaves no usable protocol version, every TLS handshake will fail`);
  } else if (!usable.includes('TLSv1.2') && !usable.includes('TLSv1.3')) {
    warnings.push(
      `${name}: TLSProtocol allows ${offeredVersions(settings).join(' ')} only, modern clients cannot connect`,
    );
  }
  return warnings;
}

/** TLSOptions that are deprecated or have no effect in this configuration. */
export function optionWarnings(settings: Settings): string[] {
  const warnings: string[] = [];
  const options = settings.tlsOptions;
  if (options.includes('NoCertRequest')) {
    warnings.push(
      "TLSOptions NoCertRequest is deprecated: 'TLSVerifyClient off' sends no certificate request",
    );
  }
  if (settings.useReverseDNS) return warnings;
  for (const option of ['dNSNameRequired', 'CommonNameRequired'] as const) {
    if (options.includes(option)) warnings.push(`reverse DNS off, disabling TLSOption ${option}`);
  }
  return warnings;
}
