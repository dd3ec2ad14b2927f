/** What the system says of a file or a folder that cannot be used, in words. */
const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'this user may not use it',
  EPERM: 'this user may not use it',
  ENOENT: 'there is no such file or folder',
  EEXIST: 'something else is there already',
  ENOTDIR: 'a part of its path is not a folder',
  EISDIR: 'it is a folder',
  EINVAL: 'it is not a file that can be used like this',
  EROFS: 'its file system is read-only',
  ENOSPC: 'there is no space left for it',
  EDQUOT: 'there is no space left for it',
  EFBIG: 'it is too large for its file system',
  ENAMETOOLONG: 'its name is too long',
  ELOOP: 'its links lead in a circle',
  EBUSY: 'it is in use',
  EMFILE: 'too many files are open',
  ENFILE: 'too many files are open',
  EIO: 'its disk fails',
};
/** Calls on sockets and processes fail with some of these codes too. */
const NOT_OF_FILES = /^(connect|listen|bind|accept|getaddrinfo|kill|spawn.*)$/;

/** A sentence about an error of the file system; null for any other error. */
export function explainFileError(error: unknown): string | null {
  if (!(error instanceof Error && 'code' in error && 'syscall' in error)) return null;
  const reason = REASONS[String(error.code)];
  if (reason === undefined || NOT_OF_FILES.test(String(error.syscall))) return null;
  // What fails on an open file names none.
  const name = 'path' in error ? `${error.path}: ` : '';
  return `${name}${reason} (${error.code}).`;
}
