import { ADMIN_SCOPES } from '../protocol/own-resources.ts'
import { CliFailure } from './failure.ts'

/**
 * Asks for all admin scopes, and where that is too much for those that are given one by one: more than there is gets
 * refused, never narrowed. Throws CliFailure, also where there is none; `who` begins that sentence.
 */
export async function withHeldScopes<T>(
  who: string,
  { ask, probe }: { ask: (scope: string) => Promise<T>; probe: (scope: string) => Promise<unknown> },
): Promise<T> {
  try {
    return await ask(ADMIN_SCOPES.join(' '))
  } catch (error) {
    if (!isRefusedScope(error)) throw error
  }
  const held: string[] = []
  for (const scope of ADMIN_SCOPES) {
    const isHeld = await probe(scope).then(
      () => true,
      error => {
        if (isRefusedScope(error)) return false
        throw error
      },
    )
    if (isHeld) held.push(scope)
  }
  if (held.length > 0) return await ask(held.join(' '))
  throw new CliFailure('invalid_scope', `${who} has no scope of the admin API.`, {
    next: 'Use the profile of an administrator.',
  })
}

/** Whether the server refused a token because its scope is more than there is. */
export function isRefusedScope(error: unknown): boolean {
  return error instanceof CliFailure && /^invalid_(scope|target)$/.test(error.code)
}
