/**
 * Modules of ProFTPD that are not part of this server. Stock configurations load them all; a module without its
 * directives does nothing, and its directives are judged one by one, so loading it is accepted and reported.
 */
const NAMES = `
  mod_auth_otp mod_auth_pam mod_auth_web mod_autohost mod_ban mod_cap mod_case mod_clamav mod_codeconv mod_copy mod_ctrls
  mod_ctrls_admin mod_deflate mod_delay mod_diskuse mod_digest mod_dnsbl mod_dynmasq mod_exec mod_facl mod_geoip
  mod_gss mod_ifversion mod_ldap mod_load mod_log_forensic mod_memcache mod_msg mod_prometheus mod_proxy
  mod_proxy_protocol mod_qos mod_quotatab mod_quotatab_file mod_quotatab_ldap mod_quotatab_radius mod_quotatab_sql
  mod_radius mod_ratio mod_redis mod_rewrite mod_sftp_pam mod_sftp_sql mod_shaper mod_site_misc mod_snmp
  mod_sql mod_sql_mysql mod_sql_odbc mod_sql_passwd mod_sql_postgres mod_sql_sqlite mod_statcache mod_systemd
  mod_tar mod_tls_fscache mod_tls_memcache mod_tls_redis mod_tls_shmcache mod_unique_id mod_vroot mod_wrap mod_wrap2
  mod_wrap2_file mod_wrap2_redis mod_wrap2_sql
`;

const known = new Set(NAMES.split(/\s+/).filter((name) => name !== ''));

/** True for a module ProFTPD has, by name with or without `.c`. */
export function isKnownModule(name: string): boolean {
  return known.has(name.toLowerCase().replace(/\.c$/, ''));
}
