/** Message numbers of SSH (RFC 4250, section 4.1; RFC 8308; OpenSSH's PROTOCOL for PING and PONG). */
export const DISCONNECT = 1;
export const IGNORE = 2;
export const UNIMPLEMENTED = 3;
export const DEBUG = 4;
export const SERVICE_REQUEST = 5;
export const SERVICE_ACCEPT = 6;
export const EXT_INFO = 7;
export const KEXINIT = 20;
export const NEWKEYS = 21;
/** 30 to 49 belong to the key exchange method: the same number means different things in different methods. */
export const KEX_30 = 30;
export const KEX_31 = 31;
export const KEX_32 = 32;
export const KEX_33 = 33;
export const KEX_34 = 34;
export const KEX_LAST = 49;
export const USERAUTH_REQUEST = 50;
export const USERAUTH_FAILURE = 51;
export const USERAUTH_SUCCESS = 52;
export const USERAUTH_BANNER = 53;
export const USERAUTH_INFO_RESPONSE = 61;
export const USERAUTH_LAST = 79;
export const GLOBAL_REQUEST = 80;
export const REQUEST_SUCCESS = 81;
export const REQUEST_FAILURE = 82;
export const CHANNEL_OPEN = 90;
export const CHANNEL_OPEN_CONFIRMATION = 91;
export const CHANNEL_OPEN_FAILURE = 92;
export const CHANNEL_WINDOW_ADJUST = 93;
export const CHANNEL_DATA = 94;
export const CHANNEL_EXTENDED_DATA = 95;
export const CHANNEL_EOF = 96;
export const CHANNEL_CLOSE = 97;
export const CHANNEL_REQUEST = 98;
export const CHANNEL_SUCCESS = 99;
export const CHANNEL_FAILURE = 100;
export const PING = 192;
export const PONG = 193;

/** Reasons of DISCONNECT (RFC 4253, section 11.1). */
export const DisconnectCode = {
  protocolError: 2,
  keyExchangeFailed: 3,
  macError: 5,
  compressionError: 6,
  serviceNotAvailable: 7,
  versionNotSupported: 8,
  connectionLost: 10,
  byApplication: 11,
  tooManyConnections: 12,
  authCancelledByUser: 13,
  noMoreAuthMethods: 14,
} as const;

/** Reasons of CHANNEL_OPEN_FAILURE (RFC 4254, section 5.1). */
export const OpenFailure = {
  administrativelyProhibited: 1,
  connectFailed: 2,
  unknownChannelType: 3,
  resourceShortage: 4,
} as const;
