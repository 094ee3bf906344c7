/** `lockgate user totp NAME on|off`: one-time codes for a user of the embedded store. */
import { hostname } from 'node:os';
import { createTotpSecret, totpUri } from '../auth/totp.ts';
import {
  EXIT,
  parseStoreArguments,
  requireName,
  requireStore,
  requireUser,
  UsageError,
  userStorePath,
  withStore,
} from './user-store-access.ts';
import type { UserCommandIo } from './user-store-access.ts';

/**
 * The secret is printed once, on standard output; after that only the store holds it.
 * @param argv the words behind `lockgate user totp`
 * @throws UsageError, UserStoreError
 */
export function runTotpCommand(argv: readonly string[], io: UserCommandIo): number {
  const { words, options } = parseStoreArguments(argv);
  const name = requireName(words[0]);
  const [, state] = words;
  if (words.length !== 2 || (state !== 'on' && state !== 'off')) {
    throw new UsageError('totp takes a user name and on or off');
  }
  const path = userStorePath(options, io.env);
  requireStore(path);
  if (state === 'off') {
    withStore(path, (store) => {
      requireUser(store, name);
      store.credentials.setTotp(name, null);
    });
    io.output.write(`'${name}' logs in without one-time codes from now on\n`);
    return EXIT.done;
  }
  const secret = createTotpSecret();
  withStore(path, (store) => {
    requireUser(store, name);
    store.credentials.setTotp(name, secret);
  });
  io.error.write(
    `'${name}' needs a one-time code beside the password from now on. Add this to an authenticator app; it is shown only once:\n`,
  );
  io.output.write(`${totpUri(secret, name, `Lockgate ${hostname()}`)}\n`);
  io.error.write(
    'SFTP asks for the code after the password (keyboard-interactive); over FTP the six digits follow the password directly.\n',
  );
  return EXIT.done;
}
