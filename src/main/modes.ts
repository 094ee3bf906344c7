/** Modes of the files main creates. They are complete: main runs with umask 0. */

/** Logs name users and files, so only the owner writes and only the group may read. */
export const LOG_FILE_MODE = 0o640;
/** State folder: holds private keys and password hashes. */
export const PRIVATE_DIRECTORY_MODE = 0o700;
export const PRIVATE_FILE_MODE = 0o600;
/** Scripts of any user read the process id. */
export const PID_FILE_MODE = 0o644;
