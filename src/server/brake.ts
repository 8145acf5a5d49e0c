import { RateLimiterMemory } from 'rate-limiter-flexible'
import { OAuthError } from '../protocol/errors.ts'

/** Failures of one key that are answered before the next ones are held back, and for how many seconds. */
const FAILURES = 20
const WINDOW_SECONDS = 60

/** Holds back guessing at credentials. In this process only: other nodes count for themselves. */
export type Brake = {
  /** Throws 429 with Retry-After while the key has failed too often. */
  readonly check: (key: string) => Promise<void>
  readonly failed: (key: string) => Promise<void>
}

export function createBrake(): Brake {
  const limiter = new RateLimiterMemory({ points: FAILURES, duration: WINDOW_SECONDS })
  return {
    async check(key) {
      const state = await limiter.get(key)
      if (!state || state.consumedPoints < FAILURES) return
      throw new OAuthError('temporarily_unavailable', 'Too many failed attempts; wait before the next one.', {
        reason: 'too_many_failures',
        status: 429,
        retry_after: Math.ceil(state.msBeforeNext / 1000),
      })
    },
    async failed(key) {
      await limiter.penalty(key)
    },
  }
}
