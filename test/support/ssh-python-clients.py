"""paramiko and asyncssh against one server. Usage: ssh-python-clients.py paramiko|asyncssh PORT HOSTKEYS WORK

The password is in the environment (TEST_PASSWORD). Prints one line per step; any failure is an exception.
"""
import asyncio
import hashlib
import os
import sys
import warnings

warnings.simplefilter('ignore')
CLIENT, PORT, HOST_KEYS, WORK = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
PASSWORD = os.environ['TEST_PASSWORD']
LOCAL = os.path.join(WORK, 'python.bin')


def digest(path):
    with open(path, 'rb') as file:
        return hashlib.sha256(file.read()).hexdigest()


def check(condition, what):
    if not condition:
        raise AssertionError(what)
    print('ok', what, flush=True)


def with_paramiko():
    import threading
    import paramiko

    client = paramiko.SSHClient()
    with open(HOST_KEYS) as lines:
        for line in lines:
            kind, blob = line.split()
            key = paramiko.PKey.from_type_string(kind, __import__('base64').b64decode(blob)) if hasattr(
                paramiko.PKey, 'from_type_string') else paramiko.hostkeys.HostKeyEntry.from_line(f'x {line}').key
            client.get_host_keys().add(f'[127.0.0.1]:{PORT}', kind, key)
    client.connect('127.0.0.1', PORT, 'alice', PASSWORD, allow_agent=False, look_for_keys=False, timeout=10)
    client.get_transport().window_size = 3 * 1024 * 1024
    sftp = client.open_sftp()
    sftp.put(LOCAL, 'paramiko.bin')
    check(sftp.stat('paramiko.bin').st_size == os.path.getsize(LOCAL), 'put, pipelined')
    back = LOCAL + '.paramiko'
    sftp.get('paramiko.bin', back)
    check(digest(back) == digest(LOCAL), 'get, all reads at once')
    with open(LOCAL, 'rb') as file, sftp.open('paramiko.bin') as remote:
        remote.prefetch()
        remote.seek(1_000_001)
        file.seek(1_000_001)
        check(remote.read(100_000) == file.read(100_000), 'prefetch and seek')
    with sftp.open('paramiko.bin') as remote:
        pieces = remote.readv([(5, 10), (2_000_000, 70_000), (17, 3)])
        with open(LOCAL, 'rb') as file:
            whole = file.read()
        check([bytes(piece) for piece in pieces] == [whole[5:15], whole[2_000_000:2_070_000], whole[17:20]], 'readv')
    with sftp.open('paramiko.txt', 'w') as remote:
        remote.set_pipelined(True)
        for index in range(2000):
            remote.write(f'line {index}\n')
    with sftp.open('paramiko.txt', 'a') as remote:
        remote.write('the end\n')
    with sftp.open('paramiko.txt') as remote:
        check(remote.readlines()[-2:] == ['line 1999\n', 'the end\n'], 'small pipelined writes, append')
    sftp.mkdir('paramiko-dir')
    sftp.rename('paramiko.txt', 'paramiko-dir/renamed.txt')
    sftp.symlink('renamed.txt', 'paramiko-dir/link')
    check(sftp.readlink('paramiko-dir/link') == 'renamed.txt', 'symlink')
    sftp.chmod('paramiko-dir/renamed.txt', 0o600)
    sftp.utime('paramiko-dir/renamed.txt', (1_300_000_000, 1_300_000_001))
    sftp.truncate('paramiko-dir/renamed.txt', 9)
    check(sorted(sftp.listdir('paramiko-dir')) == ['link', 'renamed.txt'], 'listdir')
    check(sftp.normalize('paramiko-dir/../.') == '/', 'realpath')
    try:
        sftp.stat('nothing')
        raise AssertionError('nothing is there')
    except FileNotFoundError:
        print('ok missing')
    failures = []

    def one(index):
        try:
            with client.open_sftp() as channel:
                channel.put(LOCAL, f'parallel-{index}.bin')
                channel.get(f'parallel-{index}.bin', f'{LOCAL}.parallel-{index}')
                check(digest(f'{LOCAL}.parallel-{index}') == digest(LOCAL), f'channel {index}')
        except Exception as error:
            failures.append(repr(error))

    threads = [threading.Thread(target=one, args=(index,)) for index in range(3)]
    [thread.start() for thread in threads]
    [thread.join(30) for thread in threads]
    check(failures == [], f'three channels at once {failures}')
    client.get_transport().renegotiate_keys()
    check(sftp.stat('paramiko.bin').st_size == os.path.getsize(LOCAL), 'after a rekeying')
    client.close()


async def with_asyncssh():
    import asyncssh

    keys = ''.join(f'[127.0.0.1]:{PORT} {line}' for line in open(HOST_KEYS))
    async with asyncssh.connect('127.0.0.1', PORT, username='alice', password=PASSWORD, client_keys=None,
                                agent_path=None, known_hosts=asyncssh.import_known_hosts(keys),
                                rekey_bytes=1_000_000, config=None) as connection:
        async with connection.start_sftp_client() as sftp:
            await sftp.put(LOCAL, 'asyncssh.bin', preserve=True)
            back = LOCAL + '.asyncssh'
            await sftp.get('asyncssh.bin', back)
            check(digest(back) == digest(LOCAL), 'put and get, rekeying every megabyte')
            await asyncio.gather(*(sftp.put(LOCAL, f'asyncssh-{index}.bin') for index in range(3)))
            await asyncio.gather(*(sftp.get(f'asyncssh-{index}.bin', f'{LOCAL}.{index}') for index in range(3)))
            check(all(digest(f'{LOCAL}.{index}') == digest(LOCAL) for index in range(3)), 'three files at once')
            await sftp.mkdir('asyncssh-dir')
            await sftp.mput(os.path.join(WORK, 'tree'), 'asyncssh-dir', recurse=True)
            await sftp.posix_rename('asyncssh-0.bin', 'asyncssh-1.bin')
            check(not await sftp.exists('asyncssh-0.bin'), 'posix-rename')
            await sftp.link('asyncssh-1.bin', 'asyncssh-dir/hard')
            await sftp.symlink('hard', 'asyncssh-dir/soft')
            check(await sftp.readlink('asyncssh-dir/soft') == 'hard', 'links')
            check((await sftp.statvfs('.')).blocks > 0, 'statvfs')
            await sftp.setstat('asyncssh-dir/hard', asyncssh.SFTPAttrs(permissions=0o640, atime=1_200_000_000, mtime=1_200_000_001))
            check(sorted(await sftp.listdir('asyncssh-dir')) == ['.', '..', 'hard', 'soft', 'tree'], 'listing')
            async with sftp.open('asyncssh.bin', 'rb+') as file:
                await file.write(b'patched', 1_000_000)
                await file.fsync()
                check(await file.read(7, 1_000_000) == b'patched', 'update in place')
        await asyncssh.scp(LOCAL, (connection, 'asyncssh-scp.bin'), preserve=True)
        await asyncssh.scp((connection, 'asyncssh-scp.bin'), f'{LOCAL}.scp')
        check(digest(f'{LOCAL}.scp') == digest(LOCAL), 'scp')
        result = await connection.run('date -u', check=True)
        check('UTC' in result.stdout, 'date')


if CLIENT == 'paramiko':
    with_paramiko()
else:
    asyncio.run(asyncio.wait_for(with_asyncssh(), 40))
