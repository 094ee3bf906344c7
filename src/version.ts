/** Versions the server states: its own, and those of the modules it stands in for. */

/** Lockgate's own version; a test keeps it equal to package.json. */
export const LOCKGATE_VERSION = '0.1.0';

/** The ProFTPD release whose configuration language and log wording are followed. */
export const PROFTPD_VERSION = '1.3.9';

/** What TLSLog lines carry: `mod_tls/2.9.3`. */
export const MOD_TLS_VERSION = '2.9.3';

/** What SFTPLog lines and the FIPS line carry: `mod_sftp/1.2.1`. */
export const MOD_SFTP_VERSION = '1.2.1';
