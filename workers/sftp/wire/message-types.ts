/** Numbers of SFTP messages (draft-ietf-secsh-filexfer-13, section 4.3) and the versions this server speaks. Pure. */

/** 1 and 2 are spoken as 3 without texts in STATUS and without EXTENDED. */
export type SftpVersion = 1 | 2 | 3 | 4 | 5 | 6;

export const LOWEST_VERSION: SftpVersion = 1;
export const HIGHEST_VERSION: SftpVersion = 6;

export const MessageType = {
  INIT: 1,
  VERSION: 2,
  OPEN: 3,
  CLOSE: 4,
  READ: 5,
  WRITE: 6,
  LSTAT: 7,
  FSTAT: 8,
  SETSTAT: 9,
  FSETSTAT: 10,
  OPENDIR: 11,
  READDIR: 12,
  REMOVE: 13,
  MKDIR: 14,
  RMDIR: 15,
  REALPATH: 16,
  STAT: 17,
  RENAME: 18,
  READLINK: 19,
  SYMLINK: 20,
  LINK: 21,
  BLOCK: 22,
  UNBLOCK: 23,
  STATUS: 101,
  HANDLE: 102,
  DATA: 103,
  NAME: 104,
  ATTRS: 105,
  EXTENDED: 200,
  EXTENDED_REPLY: 201,
} as const;

/** What clients are tuned to (OpenSSH's limits): one READ or WRITE moves at most this much. */
export const MAX_DATA_BYTES = 261_120;
/** Announced by limits@openssh.com. */
export const MAX_PACKET_BYTES = 262_144;
/** Accepted: the announced size and room for the head of a message. */
export const MAX_MESSAGE_BYTES = MAX_PACKET_BYTES + 1024;
/** PATH_MAX. */
export const MAX_PATH_BYTES = 4096;
