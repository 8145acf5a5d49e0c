import { userInfo } from 'node:os'
import { parseSubjectName } from '../protocol/names.ts'

/** Whoever runs this, as an owner in the server's words. */
export function defaultOwner(): string {
  const owner = `user:local:${userName()}`
  return parseSubjectName(owner) === undefined ? 'user:local:admin' : owner
}

/** A container may run as a number that no account has. */
function userName(): string {
  try {
    return userInfo().username
  } catch {
    return 'admin'
  }
}
