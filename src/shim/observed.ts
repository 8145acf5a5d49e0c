import { OAuthError } from '../protocol/errors.ts'

/** Something that an agent is made of: as declared, until it is seen to be other. */
export type Observed<T> = {
  /** What is in use. Throws `invalid_request` after several were seen beside what was declared. */
  readonly read: () => T
  /** Takes note of what is in use, undefined for what nobody can read; answers whether it is other than before. */
  readonly see: (seen: T | undefined) => boolean
}

/**
 * What is seen in use counts at once, and what was before does not come back: calls of a model that was given the one may
 * still be on their way when the other is seen, and must not go out under its checksum. Who changes an agent makes it anew.
 * `digest` tells two values apart.
 */
export function observed<T>(declared: T, digest: (value: T) => string): Observed<T> {
  let current = { value: declared, digest: digest(declared) }
  let seenOthers = 0
  return {
    read() {
      if (seenOthers <= 1) return current.value
      throw new OAuthError(
        'invalid_request',
        'The agent was given several prompts or lists of tools beside the declared ones; make it anew with those it is to have.',
        { reason: 'several_components' },
      )
    },
    see(value) {
      const seen = value === undefined ? undefined : { value, digest: digest(value) }
      if (seen?.digest === current.digest) return false
      seenOthers += seen === undefined ? 2 : 1
      current = seen ?? current
      return true
    },
  }
}
